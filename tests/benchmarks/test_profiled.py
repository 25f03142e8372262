"""Kinds of operations of small programs whose work is known, and a step under the profiler."""

from collections import Counter
from dataclasses import replace

import jax
import jax.numpy as jnp
import optax
import pytest

from benchmarks import gan_steps, profiled
from benchmarks.compiled_text import Program
from benchmarks.precisions import Wanted
from jaxgen.training.optimizers import updated

UNSEEN = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast"}
SQUARE = jax.ShapeDtypeStruct((64, 64), jnp.float32)


def updates(params, gradient):
    rule = optax.adam(1e-3)
    return updated(rule, gradient, rule.init(params), params)[0]


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (lambda a, b: a @ b, (SQUARE, SQUARE), {"products"}),
        (lambda a, b: jnp.tanh(a) * b, (SQUARE, SQUARE), {"elementwise"}),
        (lambda a: a.sum(axis=0), (SQUARE,), {"elementwise"}),
        (lambda a: a.T.astype(jnp.bfloat16), (SQUARE,), {"copies"}),
        (lambda a, b: jnp.concatenate([a, b]), (SQUARE, SQUARE), {"copies"}),
        (updates, (SQUARE, SQUARE), {"optimizer"}),
    ],
)
def test_an_operation_is_of_the_kind_of_its_work(function, arguments, expected):
    program = Program(jax.jit(function).lower(*arguments).compile().as_text())
    run = [one for one, _ in program.operations(within=False) if one.opcode not in UNSEEN]
    assert {profiled.kind(program, one) for one in run} == expected


def test_random_bits_are_told_from_other_arithmetic():
    draw = jax.jit(lambda seed: jax.random.bits(jax.random.key(seed), (64, 64)))
    program = Program(draw.lower(0).compile().as_text())
    assert "random" in {profiled.kind(program, one) for one, _ in program.operations(within=False)}


def test_every_step_of_the_benchmarks_is_there_in_each_size_and_precision():
    steps = profiled.steps(Wanted(("float32", "bfloat16"), (2, 3)))
    assert len(steps) == 4 * (len(gan_steps.EXPERIMENTS) + 4)
    sizes = Counter((one.config.batch_size, one.config.precision) for one in steps)
    assert set(sizes.values()) == {len(steps) // 4}


def test_a_step_is_seen_whole(monkeypatch):
    monkeypatch.setattr(profiled, "SECONDS", 0.1)
    config = replace(gan_steps.experiment("vanilla_gan"), batch_size=25)
    step = profiled.Step("a GAN", config.task, config)
    seen = profiled.profile(step)
    assert set(seen.kinds) >= {"products", "elementwise", "optimizer"}
    assert all(seconds > 0 for seconds in seen.kinds.values())


def test_a_row_gives_shares():
    step = profiled.steps(Wanted(("bfloat16",), (128,)))[0]
    kinds = Counter(products=0.02, elementwise=0.008, optimizer=0.008, copies=0.002)
    line = profiled.row(step, profiled.Profile(0.04, kinds))
    assert line == "| vanilla GAN | 128 | bfloat16 | 40 | 50 | 20 | 5 | 0 | 20 | 5 |"
