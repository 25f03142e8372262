"""Programs for described TPUs and GPUs: how they are counted, bounded, printed and kept.

Nothing here needs libtpu or CUDA; `tests/training/test_export.py` compiles where libtpu is.
"""

import importlib.util
import json
import math
import subprocess

import jax
import pytest

from benchmarks.accelerators import __main__ as command
from benchmarks.accelerators import described, programs, roofline, table
from benchmarks.accelerators.chips import CHIPS
from benchmarks.accelerators.described import Topology, gpu_topology, tpu_topology
from benchmarks.accelerators.traffic import array_bytes, memory_bytes
from benchmarks.compiled_text import Program, collectives, product_flops
from experiments import vanilla_gan
from jaxgen.errors import JaxgenError

# Made after a program for v5e: a loop over steps whose length is an argument, in it one of three
# turns over time that multiplies, a slice of a data set, an update in place, and a copy.
TPU_TEXT = """HloModule step

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[]{:T(128)} parameter(0)
  %b = f32[]{:T(128)} parameter(1)
  ROOT %add = f32[]{:T(128)} add(%a, %b)
}

%times (q.0: f32[8,16], q.1: f32[16,16]) -> f32[8,16] {
  %q.0 = f32[8,16]{1,0:T(8,128)} parameter(0)
  %q.1 = f32[16,16]{1,0:T(8,128)} parameter(1)
  ROOT %c = f32[8,16]{1,0:T(8,128)} convolution(%q.0, %q.1), dim_labels=bf_io->bf
}

%piece.1 (r.0: f32[2,16]) -> f32[8,16] {
  %r.0 = f32[2,16]{1,0:T(8,128)} parameter(0)
  ROOT %g.1 = f32[8,16]{1,0} all-gather(%r.0), channel_id=7, dimensions={0}, extra={chain_id="0"}
}

%piece.2 (s.0: f32[2,16]) -> f32[8,16] {
  %s.0 = f32[2,16]{1,0:T(8,128)} parameter(0)
  ROOT %g.2 = f32[8,16]{1,0} all-gather(%s.0), channel_id=7, dimensions={0}, extra={chain_id="0"}
}

%turn (t: (s32[], f32[8,16], f32[16,16], f32[2,16])) -> (s32[], f32[8,16], f32[16,16], f32[2,16]) {
  %t = (s32[]{:T(128)}, f32[8,16]{1,0:S(1)}, f32[16,16]{1,0}, f32[2,16]{1,0:S(1)}) parameter(0)
  %t.0 = s32[]{:T(128)} get-tuple-element(%t), index=0
  %t.1 = f32[8,16]{1,0:T(8,128)S(1)} get-tuple-element(%t), index=1
  %t.2 = f32[16,16]{1,0:T(8,128)} get-tuple-element(%t), index=2
  %t.3 = f32[2,16]{1,0:T(8,128)S(1)} get-tuple-element(%t), index=3
  %u = f32[8,16]{1,0:T(8,128)S(1)} fusion(%t.1, %t.2), kind=kOutput, calls=%times
  %v = f32[8,16]{1,0:T(8,128)S(1)} fusion(%t.3), kind=kCustom, calls=%piece.1
  ROOT %w = (s32[], f32[8,16]{1,0}, f32[16,16]{1,0}, f32[2,16]{1,0}) tuple(%t.0, %u, %t.2, %t.3)
}

%more (o: (s32[], f32[8,16], f32[16,16], f32[2,16])) -> pred[] {
  %three = s32[]{:T(128)} constant(3)
  %o = (s32[]{:T(128)}, f32[8,16]{1,0:S(1)}, f32[16,16]{1,0}, f32[2,16]{1,0:S(1)}) parameter(0)
  %o.0 = s32[]{:T(128)} get-tuple-element(%o), index=0
  ROOT %lt = pred[]{:T(512)} compare(%o.0, %three), direction=LT
}

%rows (m.0: f32[1000,16], m.1: s32[]) -> f32[2,16] {
  %m.0 = f32[1000,16]{1,0:T(8,128)} parameter(0)
  %m.1 = s32[]{:T(128)} parameter(1)
  %zero = s32[]{:T(128)} constant(0)
  ROOT %row = f32[2,16]{1,0} dynamic-slice(%m.0, %m.1, %zero), dynamic_slice_sizes={2,16}
}

%body (y: (s32[], s32[], f32[1000,16], f32[16,16], f32[50])) -> (s32[], s32[], f32[1000,16]) {
  %y = (s32[], s32[], f32[1000,16]{1,0}, f32[16,16]{1,0}, f32[50]{0}) parameter(0)
  %y.0 = s32[]{:T(128)} get-tuple-element(%y), index=0
  %y.2 = f32[1000,16]{1,0:T(8,128)} get-tuple-element(%y), index=2
  %y.3 = f32[16,16]{1,0:T(8,128)} get-tuple-element(%y), index=3
  %y.4 = f32[50]{0:T(128)} get-tuple-element(%y), index=4
  %x = f32[2,16]{1,0:T(8,128)S(1)} fusion(%y.2, %y.0), kind=kLoop, calls=%rows
  %h = f32[8,16]{1,0:T(8,128)S(1)} fusion(%x), kind=kCustom, calls=%piece.2
  %z = (s32[], f32[8,16]{1,0:S(1)}, f32[16,16]{1,0}, f32[2,16]{1,0:S(1)}) tuple(%y.0, %h, %y.3, %x)
  %l = (s32[], f32[8,16]{1,0:S(1)}, f32[16,16]{1,0}, f32[2,16]{1,0:S(1)}) while(%z), \
condition=%more, body=%turn
  %start = (f32[16,16]{1,0:S(1)}, f32[16,16]{1,0}, u32[]{:S(2)}) copy-start(%y.3)
  %done = f32[16,16]{1,0:T(8,128)S(1)} copy-done(%start)
  %r = f32[16,16]{1,0:T(8,128)} all-reduce(%done), channel_id=1, to_apply=%sum
  %one = f32[1]{0:T(128)S(1)} constant({1})
  %d = f32[50]{0:T(128)} dynamic-update-slice(%y.4, %one, %y.0)
  ROOT %k = (s32[], s32[], f32[1000,16]{1,0}, f32[16,16]{1,0}, f32[50]{0}) \
tuple(%y.0, %y.0, %y.2, %r, %d)
}

%until (e: (s32[], s32[], f32[1000,16], f32[16,16], f32[50])) -> pred[] {
  %e = (s32[], s32[], f32[1000,16]{1,0}, f32[16,16]{1,0}, f32[50]{0}) parameter(0)
  %e.0 = s32[]{:T(128)} get-tuple-element(%e), index=0
  %e.1 = s32[]{:T(128)} get-tuple-element(%e), index=1
  ROOT %lt.2 = pred[]{:T(512)} compare(%e.0, %e.1), direction=LT
}

ENTRY %main (n: s32[], data: f32[1000,16], w: f32[16,16], h.0: f32[50]) -> f32[16,16] {
  %n = s32[]{:T(128)} parameter(0)
  %data = f32[1000,16]{1,0:T(8,128)} parameter(1)
  %w.0 = f32[16,16]{1,0:T(8,128)} parameter(2)
  %h.0 = f32[50]{0:T(128)} parameter(3)
  %moved = f32[1000,16]{1,0:T(8,128)} copy(%data)
  %all = (s32[], s32[], f32[1000,16]{1,0}, f32[16,16]{1,0}, f32[50]{0}) \
tuple(%n, %n, %moved, %w.0, %h.0)
  %loop = (s32[], s32[], f32[1000,16]{1,0}, f32[16,16]{1,0}, f32[50]{0}) while(%all), \
condition=%until, body=%body
  ROOT %end = f32[16,16]{1,0:T(8,128)} get-tuple-element(%loop), index=3
}
"""
ROW = {
    "experiment": "dcgan",
    "topology": "v5e:2x2",
    "batch": 256,
    "devices": 4,
    "seconds": 61.2,
    "product_flops": 197e9,
    "memory_bytes": 81.9e6,
    "peak_bytes": 1.5e9,
    "collectives": [
        {"kind": "all-reduce", "bytes": 30_000_000, "times": 1, "source": ""},
        {"kind": "all-reduce", "bytes": 2_000, "times": 2, "source": ""},
    ],
    "program_sha256": "p",
}


def test_a_loop_of_a_tpu_runs_as_often_as_its_condition_says():
    program = Program(TPU_TEXT)
    assert product_flops(program) == 3 * 2 * 8 * 16 * 16


def test_a_collective_in_pieces_is_one():
    found = {one.kind: one for one in collectives(Program(TPU_TEXT))}
    assert len(found) == len(collectives(TPU_TEXT)) == 2
    assert (found["all-gather"].times, found["all-gather"].bytes) == (1, 8 * 16 * 4)


def test_a_step_is_one_turn_of_the_loop_without_what_comes_before():
    whole, step = Program(TPU_TEXT), Program(TPU_TEXT).of_a_step()
    before = memory_bytes(whole) - memory_bytes(step)
    assert before == 2 * 1000 * 16 * 4 + 9  # the copy of the data, and whether a step is to come
    assert product_flops(step) == product_flops(whole)


def test_bytes_of_memory_are_those_of_what_is_read_and_written_there():
    by_hand = {
        "a slice of the data and where it is": 2 * 16 * 4 + 4,
        "weights in each of three turns": 3 * 16 * 16 * 4,
        "the copy, read alone": 16 * 16 * 4,
        "reduced, written alone": 16 * 16 * 4,
        "a metric, written alone": 4,
        "whether one of three turns is to come": 3 * (4 + 4 + 1),
    }
    assert memory_bytes(Program(TPU_TEXT).of_a_step()) == sum(by_hand.values())


def test_bytes_of_a_type():
    kind = "(f32[8,16]{1,0:T(8,128)S(1)}, /*index=1*/bf16[4]{0:T(128)}, pred[], f8e4m3fn[3])"
    assert array_bytes(kind) == [0, 8, 1, 3]
    assert array_bytes(kind, everywhere=True) == [512, 8, 1, 3]


def test_a_step_of_an_experiment_is_counted_once_whatever_its_dispatch():
    """By hand: a vanilla GAN's products, on one CPU."""
    from benchmarks.accelerators.programs import lowered

    program = lowered(vanilla_gan.config, 4, jax.devices()[:1]).compile()
    found = programs.figures(program)
    generator = 96 * 1024 + 1024 * 1024 + 1024 * 784
    discriminator = 784 * 256 + 256 * 256 + 256
    # The discriminator's update: a generator forward, 2 batches forward, and the gradients of the
    # kernels and of all inputs but the images. The generator's: forward and kernels and inputs, all
    # but the noise's; the discriminator forward, and the gradients of its inputs.
    first = discriminator * 2 * 3 - 784 * 256 * 2
    second = generator * 3 - 96 * 1024 + discriminator * 2
    by_hand = 2 * 4 * (generator + first + second)
    assert found["product_flops"] == pytest.approx(by_hand, rel=0.01)
    assert found["collectives"] == []
    assert found["peak_bytes"] > 5000 * 784


def test_the_bound_is_the_longest_of_three():
    topology = tpu_topology("v5e:2x2")
    found = roofline.bound(ROW, topology)
    assert found.products == pytest.approx(1e-3)  # 197 TFLOP/s
    assert found.memory == pytest.approx(1e-4)  # 819 GB/s
    # Two links of four, 50 GB/s each; a reduction sends 2 · 3/4 of its bytes.
    assert found.links == pytest.approx(1.5 * 30_004_000 / 100e9)
    assert (found.by, found.steps_a_second) == ("products", pytest.approx(1000))
    idle = ROW | {"product_flops": 0, "memory_bytes": 0, "collectives": []}
    assert roofline.bound(idle, topology).steps_a_second == math.inf


def test_what_a_collective_sends():
    assert roofline.sent_bytes("all-gather", 100, 4) == 75
    assert roofline.sent_bytes("all-reduce", 100, 4) == 150
    assert roofline.sent_bytes("all-to-all", 100, 1) == 0
    assert roofline.sent_bytes("collective-permute", 100, 4) == 100


def test_links_of_a_topology():
    share = {"v5e:1x1": 0, "v5e:2x2": 1 / 2, "v5e:8x8": 1 / 2, "v5e:16x16": 1, "v5p:4x4x4": 1}
    for name, of_all in share.items():
        topology = tpu_topology(name)
        assert topology.link_rate == of_all * topology.chip.link_rate, name
    assert gpu_topology("h100x8").link_rate == 450e9
    assert gpu_topology("h100x16").link_rate == 50e9


def test_a_core_of_v4_has_half_a_chips_rates():
    found = roofline.bound(ROW, tpu_topology("v4:2x2x1"))
    assert found.products == pytest.approx(197e9 / (275e12 / 2))


@pytest.mark.parametrize("kind", [name for name, one in CHIPS.items() if one.ports > 1])
def test_every_count_of_chips_has_a_grid(kind):
    for chips in described.COUNTS:
        assert Topology(kind, (1,)).of(chips).chips == chips


def test_the_table():
    text = table.programs_table([ROW], tpu_topology("v5e:2x2"))
    assert "Compiled, not timed." in text
    assert "bfloat16" in text
    line = (
        "| dcgan | 256 | 61 s | 197 | 81.9 MB | 1,500 MB | 3 all-reduce 30 MB (30, 2 under 0.1) |"
    )
    assert f"{line} 1,000 | products |" in text


def test_numbers_keep_three_digits():
    sizes = {31_258_140: "31.3 MB", 1_500_000_000: "1,500 MB", 1_178: "1.18 kB", 0: "0 kB"}
    assert {size: table.megabytes(size) for size in sizes} == sizes
    assert table.collectives([]) == "none"


def test_the_table_of_scaling_leaves_out_what_does_not_divide():
    topology = tpu_topology("v5e:16x16")
    text = table.scaling_table("dcgan", [(topology, ROW, None)], 64)
    assert text.splitlines()[-1].count("|") == 14
    assert text.endswith("|  |  |  |  |  |  |")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--topology", "v5e"], "must be a kind of TPU and its grid, such as v5e:4x4"),
        (["--topology", "v9:2x2"], "no peak rates are known of the chip 'v9', only of v4"),
        (["--topology", "v5e:0x2"], "has 0 chips; give 1 to 16384"),
        (["--gpu", "h100"], "must be a kind of GPU and their number, such as h100x8"),
        (["--gpu", "b7x8"], "no peak rates are known of the chip 'b7'"),
        (["--experiments", "dcgam"], "--experiments dcgam: there is no such experiment, only"),
        (["--experiments", "minimax"], "there is no such experiment"),
        (["--scaling", "dcgam"], "--scaling dcgam"),
        (["--chips", "3"], "--chips 3: the number of chips must be one of 1, 4, 16, 64, 256"),
        (["--batch-a-chip", "0"], "--batch-a-chip must be at least 1, got 0"),
        (["--chips", "0"], "--chips must be at least 1, got 0"),
    ],
)
def test_bad_input_is_one_sentence(run_module, monkeypatch, flags, sentence, tmp_path):
    monkeypatch.setattr(described, "refuse_missing", lambda topology: None)
    code, printed = run_module("benchmarks.accelerators", *flags, "--out", tmp_path / "out.json")
    assert code == 2
    assert sentence in printed
    assert len(printed.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "package"), [(["--topology", "v5e:2x2"], "tpu"), (["--gpu", "h100x8"], "cuda12")]
)
def test_a_missing_package_is_named(run_module, monkeypatch, flags, package, tmp_path):
    find = importlib.util.find_spec
    absent = ("libtpu", "jax_plugins.xla_cuda12")
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name in absent else find(name, *rest),
    )
    code, printed = run_module("benchmarks.accelerators", *flags, "--out", tmp_path / "out.json")
    assert code == 2
    assert f"pip install 'jax[{package}]'" in printed


@pytest.fixture
def compiles(monkeypatch):
    """Lets a program of its own be "compiled"; the calls, and the program's SHA-256 to be."""
    calls, now = [], {"sha": "p"}

    def run(command, **rest):
        calls.append(command[3:])
        assert rest["env"]["JAX_PLATFORMS"] == "cpu"
        found = {"program_sha256": now["sha"], "devices": 4}
        if command[7:] != [now["sha"]]:
            kept = ("seconds", "product_flops", "memory_bytes", "peak_bytes", "collectives")
            found |= {name: ROW[name] for name in kept}
        return subprocess.CompletedProcess(command, 0, f"a warning\n{json.dumps(found)}\n", "")

    monkeypatch.setattr(command.subprocess, "run", run)
    monkeypatch.setattr(described, "refuse_missing", lambda topology: None)
    return calls, now


def test_what_was_compiled_is_not_compiled_again(compiles, tmp_path, monkeypatch):
    calls, now = compiles
    topology, path = tpu_topology("v5e:2x2"), tmp_path / "new" / "rows.json"
    first = command.Rows(path, "code").row("dcgan", topology, 256)
    assert command.Rows(path, "code").row("dcgan", topology, 256) == first
    assert calls == [["dcgan", "v5e:2x2", "256", "float32", ""]]
    # Other code, the same program: asked, and known.
    again = command.Rows(path, "other code").row("dcgan", topology, 256)
    assert again == first | {"code_sha256": "other code"}
    assert calls[1:] == [["dcgan", "v5e:2x2", "256", "float32", "p"]]
    now["sha"] = "another"
    assert command.Rows(path, "new code").row("dcgan", topology, 256)["program_sha256"] == "another"
    assert len(json.loads(path.read_text())["rows"]) == 1
    monkeypatch.setenv("XLA_FLAGS", "--other")  # another program
    command.Rows(path, "new code").row("dcgan", topology, 256)
    assert calls[-1] == ["dcgan", "v5e:2x2", "256", "float32", ""]
    assert len(json.loads(path.read_text())["rows"]) == 2
    half = command.Rows(path, "new code", "bfloat16").row("dcgan", topology, 256)
    assert calls[-1] == ["dcgan", "v5e:2x2", "256", "bfloat16", ""]
    assert (half["precision"], len(json.loads(path.read_text())["rows"])) == ("bfloat16", 3)


def test_a_row_of_before_there_were_two_precisions_is_of_float32(compiles, tmp_path, monkeypatch):
    calls, _ = compiles
    monkeypatch.setenv("XLA_FLAGS", "")
    path, topology = tmp_path / "rows.json", tpu_topology("v5e:2x2")
    path.write_text(json.dumps({"rows": [ROW | {"code_sha256": "code"}]}))
    assert command.Rows(path, "code").row("dcgan", topology, 256)["seconds"] == ROW["seconds"]
    assert not calls


def test_bfloat16_has_its_own_rate():
    topology = gpu_topology("h100x8")
    rows = [ROW | {"precision": name} for name in ("float32", "bfloat16")]
    full, half = (roofline.bound(row, topology) for row in rows)
    assert full.products / half.products == pytest.approx(989 / 494)
    assert (full.memory, full.links) == (half.memory, half.links)
    text = table.programs_table(rows[1:], topology, "bfloat16")
    assert "h100x8, bfloat16, figures" in text and "989 TFLOP/s for products of bfloat16" in text


def test_the_command_goes_on_where_it_stopped(compiles, run_module, tmp_path, monkeypatch):
    calls, _ = compiles
    monkeypatch.setattr(subprocess, "run", command.subprocess.run)
    flags = ["--experiments", "dcgan", "--chips", "1", "16", "--out", tmp_path / "rows.json"]
    code, printed = run_module("benchmarks.accelerators", *flags)
    assert code == 0
    batches = [(name, batch) for _, name, batch, _, _ in calls]
    assert batches == [
        ("v5e:2x2", "256"),
        *[("v5e:1x1", "64"), ("v5e:1x1", "256"), ("v5e:4x4", "1024"), ("v5e:4x4", "256")],
    ]
    assert printed.count("| 1,000 | products |") == 5
    run_module("benchmarks.accelerators", *flags)
    assert len(calls) == 5


def test_one_that_fails_does_not_stop_the_others(run_module, monkeypatch, tmp_path):
    def run(command, **rest):
        told = "  File\njax.errors.JaxRuntimeError: INTERNAL: no such layout\n  where: 12\n"
        return subprocess.CompletedProcess(command, -6, "", told)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(described, "refuse_missing", lambda topology: None)
    flags = ["--experiments", "dcgan", "lsgan", "--scaling", "--out", tmp_path / "rows.json"]
    code, printed = run_module("benchmarks.accelerators", *flags)
    assert code == 1
    assert (
        "dcgan for v5e:2x2 ended with -6: jax.errors.JaxRuntimeError: INTERNAL: no such layout"
        in printed
    )
    assert "lsgan for v5e:2x2 ended with -6" in printed


@pytest.mark.parametrize("content", ["[]", "{}", '{"rows": 1}', '{"rows": [{"batch": 1}]}', "{"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(JaxgenError, match=r"holds no rows of compiled programs|is not JSON"):
        command.Rows(tmp_path / "rows.json", "code")
