"""Rounds in turns, medians and ratios; times are those of a clock that contenders move."""

import itertools

import jax
import jax.numpy as jnp
import pytest

from benchmarks import measuring
from benchmarks.measuring import Comparison, Contender, Flops, Settings
from jaxgen.nn import ops


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, but for what contenders take; also the order of their calls."""

    class Clock:
        def __init__(self):
            self.now, self.calls = 0.0, []

        def contender(self, name, seconds, **options):
            """Takes the next of `seconds` for each piece of work, over and over."""
            durations = itertools.cycle(seconds)

            def run(count):
                self.calls.append((name, count))
                self.now += count * next(durations)

            return Contender(name, run, **options)

    clock = Clock()
    matmul = clock.contender("matmul", [2 * measuring.MATMUL_SIDE**3 / 100e9])  # 100 GFLOP/s
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(measuring, "matmul_contender", lambda precision: matmul)
    return clock


def comparison(*contenders, flops=None, most=50):
    count = None if flops is None else lambda: Flops(flops, "by hand")
    return Comparison("work", lambda settings: contenders, count, most)


def test_ratios_are_taken_within_a_round(clock):
    # The first two calls compile and find out how long a call takes; then the machine slows down.
    ours = clock.contender("jaxgen", [1.0, 0.1, 0.1, 0.2, 0.4])
    theirs = clock.contender("PyTorch", [1.0, 0.3, 0.3, 0.6, 0.8])
    [row] = comparison(ours, theirs, flops=2e9).rows(Settings(repeats=3, seconds=0.05))
    assert row["jaxgen"] == pytest.approx(200)
    assert row["peer_value"] == pytest.approx(600)
    assert row["ratio"] == pytest.approx(3)
    assert (row["ratio_least"], row["ratio_most"]) == pytest.approx((2, 3))
    assert (row["rounds"], row["peer_rounds"], row["unit"]) == (3, 3, "ms")
    assert row["gflop_per_second"] == pytest.approx(10)
    assert row["share_of_matmul"] == pytest.approx(0.1)
    assert row["flops_counted"] == "by hand"


def test_contenders_take_turns_and_short_work_is_repeated(clock):
    ours = clock.contender("jaxgen", [0.01])
    theirs = clock.contender("PyTorch", [0.05])
    comparison(ours, theirs, most=20).rows(Settings(repeats=2, seconds=0.3))
    rounds = [("jaxgen", 20), ("PyTorch", 6), ("matmul", 1)] * 2
    assert clock.calls[-6:] == rounds


def test_what_is_slow_runs_in_the_first_round_only(clock):
    ours, theirs = clock.contender("jaxgen", [0.5]), clock.contender("lax", [4.0])
    [row] = comparison(ours, theirs).rows(Settings(repeats=5))
    assert (row["rounds"], row["peer_rounds"]) == (5, 1)
    assert row["ratio"] == pytest.approx(8)
    assert "gflop" not in row


def failing(count):
    raise RuntimeError("no C++ compiler found\nand a long story")


def failing_otherwise(count):
    raise OSError("no C++ compiler found")


@pytest.mark.parametrize("failing", [failing, failing_otherwise])
def test_an_optional_peer_that_fails_is_left_out_with_a_word(clock, capsys, failing):
    ours, theirs = clock.contender("jaxgen", [0.5]), clock.contender("PyTorch", [1.0])
    optional = Contender("torch.compile", failing, is_optional=True)
    rows = comparison(ours, optional, theirs).rows(Settings(repeats=1))
    assert [row["peer"] for row in rows] == ["PyTorch"]
    assert capsys.readouterr().out == "left out torch.compile: no C++ compiler found\n"


def test_any_other_that_fails_is_an_error(clock):
    with pytest.raises(RuntimeError, match="no C"):
        comparison(Contender("jaxgen", failing)).rows(Settings())


def test_without_peers_there_is_one_row(clock):
    [row] = comparison(clock.contender("jaxgen", [0.5])).rows(Settings(repeats=2))
    assert row == {"title": "work", "unit": "ms", "jaxgen": pytest.approx(500), "rounds": 2}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_matrix_product_is_in_jaxgens_precision(monkeypatch, precision):
    multiplied = []

    def matmul(a, b, **options):
        multiplied.append((a.dtype, options["preferred_element_type"]))
        return a[:2, :2] * 1.0

    monkeypatch.setattr(measuring.jnp, "matmul", matmul)
    measuring.matmul_contender.cache_clear()
    measuring.matmul_contender(precision).run(1)
    measuring.matmul_contender.cache_clear()
    assert multiplied == [(precision, jnp.float32)]


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def test_flops_of_a_matrix_product():
    assert measuring.plain_flops(jnp.matmul, shape(3, 5), shape(5, 7)) == (2 * 3 * 5 * 7, "XLA")


def test_flops_are_those_of_the_plain_convolution():
    """On CPU jaxgen's convolution does more arithmetic, in matrix products."""
    number, _ = measuring.plain_flops(ops.conv, shape(2, 12, 12, 3), shape(5, 5, 3, 4))
    assert number == 2 * (2 * 8 * 8 * 4) * (5 * 5 * 3)


def test_flops_of_what_is_not_used_do_not_count():
    def first_row_alone(a, b):
        _ = a @ b
        return a * 2.0

    assert measuring.plain_flops(first_row_alone, shape(3, 5), shape(5, 7)).number <= 3 * 5
