"""Replicas beside the single runs of their seeds: bits, files, what is refused, and on devices."""

import csv
import json
import shutil
from collections import defaultdict
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxgen
from jaxgen.errors import JaxgenError
from jaxgen.settings import check
from jaxgen.training import experiment, told_run
from jaxgen.training.divergence import Diverged
from jaxgen.training.loop import Loop
from jaxgen.training.run_folder import Run, read_json
from jaxgen.training.task import Shown, Source, Task, TrainConfig
from jaxgen.training.trained_replicas import TrainedReplicas
from jaxgen.training.watching import Watcher
from tests.training import members

SEED, REPLICAS = 3, 3


def numbers(**changed):
    return TrainConfig(**{"workdir": "", "steps": 12, "batch_size": 4, "log_every": 4} | changed)


def toy_task(step=None, alarms=lambda history: []):
    """A running average of the batches, with noise; what is shown and measured has the seed."""

    def average(state, batch, key):
        noise = jax.random.normal(key, state.shape)
        state = 0.9 * state + 0.1 * batch["x"].mean(axis=0) + 0.01 * noise
        return state, {"loss": jnp.square(state).mean()}

    def of(seed):
        return Task(
            source=Source.of({"x": np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)}),
            init=lambda key, batch: jax.random.normal(key, batch["x"].shape[1:]),
            step=step or average,
            show=lambda state: Shown(np.full((9, 9), seed % 256, np.uint8), f"words of {seed}"),
            watch=lambda state: partial(dict, size=float(state.sum())),
            evaluate=lambda state: {"own": float(seed)},
            alarms=alarms,
            reseeded=of,
        )

    return of(0)


class Recording(Watcher):
    def __init__(self):
        self.values, self.told, self.pictures, self.states, self.alarms = (
            defaultdict(list), {}, [], {}, [],
        )  # fmt: skip

    def metrics(self, first_step, history):
        for name, row in history.items():
            self.values[name] += row.tolist()

    def figures(self, step, figures):
        self.told[step] = figures

    def show(self, step, shown):
        self.pictures.append(shown)

    def alarm(self, step, sentence):
        self.alarms.append(sentence)

    def checkpoint(self, step, state):
        self.states[step] = jax.tree.map(np.asarray, state)


def trained(task, config, **given):
    watcher = Recording()
    return Loop(task, config).run(watcher=watcher, **given), watcher


def test_each_replica_is_the_single_run_of_its_seed():
    config = numbers(seed=SEED, replicas=REPLICAS, evaluate_every=6)
    together, seen = trained(toy_task(), config)
    assert together.state.shape == (REPLICAS, 3)
    for index, seed in enumerate(config.seeds):
        alone, own = trained(toy_task().reseeded(seed), numbers(seed=seed, evaluate_every=6))
        assert np.array_equal(together.state[index], alone.state)
        assert seen.values[f"seed_{seed}/loss"] == own.values["loss"]
        for step, figures in own.told.items():
            assert {f"seed_{seed}/{k}": v for k, v in figures.items()}.items() <= (
                seen.told[step].items()
            )
    rows = np.array([seen.values[f"seed_{seed}/loss"] for seed in config.seeds])
    np.testing.assert_allclose(seen.values["loss"], rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(seen.values["loss_std"], rows.std(axis=0, ddof=1), rtol=1e-12)
    assert (seen.told[12]["own"], seen.told[12]["own_std"]) == (4, 1)
    assert "seed 5\nwords of 5" in seen.pictures[-1].text


def test_replicas_go_on_to_the_same_bits_however_the_steps_are_divided():
    config = numbers(replicas=2, checkpoint_every=5)
    whole, seen = trained(toy_task(), config)
    resumed, rest = trained(toy_task(), config, state=seen.states[10], start=10)
    other, _ = trained(toy_task(), numbers(replicas=2, log_every=7, checkpoint_every=0))
    assert np.array_equal(whole.state, resumed.state)
    assert np.array_equal(whole.state, other.state)
    assert rest.values["seed_1/loss"] == seen.values["seed_1/loss"][10:]


def test_alarms_and_what_diverges_name_the_seed():
    def alarms(history):
        return ["too small"] if history["loss"].mean() < 0 else []

    def step(state, batch, key):
        return state, {"loss": state[0]}

    task = replace(toy_task(step, alarms), init=None)
    begin = jnp.array([[1.0], [-1.0], [2.0]])
    task = replace(task, init=lambda key, batch: begin[0])
    config = numbers(seed=7, replicas=3, checkpoint_every=4)
    _, seen = trained(replace(task, reseeded=None), config, state=begin)
    assert seen.alarms == ["seed 8: too small"]

    def breaks(state, batch, key):
        state = {"n": state["n"] + 1, "w": jnp.where(state["n"] == 5, state["w"] / 0, state["w"])}
        return state, {"loss": state["w"] if metric_breaks else jnp.float32(1)}

    start = {"n": np.array([-9, -9, 1], np.int32), "w": np.ones(3, np.float32)}
    task = replace(task, init=lambda key, batch: {"n": jnp.int32(0), "w": jnp.float32(1)})
    for metric_breaks, words in (  # noqa: B007 - read by the step
        (False, r"parameters of seed 9 are not finite after step 8 \(\['w'\]\)"),
        (True, "seed_9/loss is inf at step 5"),
    ):
        watcher = Recording()
        quiet = replace(task, step=breaks, reseeded=None, alarms=lambda history: [])
        quiet = replace(quiet, watch=lambda state: dict)
        with pytest.raises(Diverged, match=words):
            Loop(quiet, config).run(state=start, watcher=watcher)
        assert list(watcher.states) == [4]


def test_a_metric_that_has_the_name_of_a_spread_is_refused():
    def step(state, batch, key):
        return state, {"loss": jnp.float32(1), "loss_std": jnp.float32(2)}

    with pytest.raises(JaxgenError, match="loss_std is the spread of the metric loss"):
        trained(toy_task(step), numbers(replicas=2))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"replicas": 0}, "replicas must be at least 1, got 0"),
        ({"replicas": 257}, "replicas must be at most 256, got 257"),
        ({"replicas": 2.0}, "replicas must be a whole number"),
        ({"replicas": 2, "seed": 2**32 - 1}, "the last seed would be above 4294967295"),
        (
            {"replicas": 200, "batch_size": 2**18, "steps": 9},
            "times replicas 200 are 209715200 examples of one dispatch",
        ),
    ],
)
def test_numbers_that_make_no_sense(changed, words):
    with pytest.raises(JaxgenError, match=words):
        check(numbers(**changed))


def test_the_last_seed_there_is():
    check(numbers(replicas=2, seed=2**32 - 2))
    config = numbers(replicas=2, seed=2**32 - 2, steps=3)
    together, _ = trained(toy_task(), config)
    alone, _ = trained(toy_task(), numbers(seed=2**32 - 1, steps=3))
    assert np.array_equal(together.state[1], alone.state)


NUMBERS = {
    "steps": 6, "log_every": 2, "checkpoint_every": 2, "sample_every": 3, "batch_size": 8,
}  # fmt: skip
GAN = members.small("vanilla_gan", workdir="", **NUMBERS)
GAN = replace(GAN, evaluate_every=3, evaluate_samples=8)
CAPTIONER = members.small("caption_rnn", workdir="", **NUMBERS)


@pytest.fixture(scope="module", params=[GAN, CAPTIONER], ids=["gan", "captioner"])
def runs(request, tmp_path_factory):
    """A run with replicas, and the single run of its last seed."""
    folder = tmp_path_factory.mktemp("runs")
    together = replace(
        request.param, workdir=str(folder / "together"), seed=SEED, replicas=REPLICAS
    )
    alone = replace(request.param, workdir=str(folder / "alone"), seed=SEED + REPLICAS - 1)
    return jaxgen.run(together), jaxgen.run(alone)


def test_what_a_run_gives_for_a_replica_is_what_the_single_run_gives(runs):
    together, alone = runs
    own = together.replica(REPLICAS - 1)
    assert type(own) is type(alone)
    assert own.config == replace(alone.config, workdir=own.config.workdir)
    for mine, theirs in zip(
        jax.tree.leaves(own.params), jax.tree.leaves(alone.params), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert own.history.keys() == alone.history.keys()
    for name, (steps, values) in alone.history.items():
        np.testing.assert_array_equal(own.history[name][0], steps)
        np.testing.assert_array_equal(own.history[name][1], values)
    stacked = jax.tree.leaves(together.params)[0][REPLICAS - 1]
    np.testing.assert_array_equal(stacked, jax.tree.leaves(alone.params)[0])


def test_history_and_figures_are_means_and_spreads(runs):
    together, _ = runs
    assert (together.replicas, together.seeds) == (3, (3, 4, 5))
    loss = next(name for name in together.replica(0).history if name.endswith("loss"))
    rows = np.array([together.replica(i).history[loss][1] for i in range(REPLICAS)])
    np.testing.assert_allclose(together.history[loss][1], rows.mean(axis=0), rtol=1e-6)
    spread = together.history[f"{loss}_std"][1]
    np.testing.assert_allclose(spread, rows.std(axis=0, ddof=1), rtol=1e-6)
    options = {"java": False} if hasattr(together.replica(0), "caption") else {}
    figures, table = together.evaluate(**options)
    assert figures["seeds"] == [3, 4, 5]
    name = "fid.value" if "fid.value" in figures["mean"] else "validation_loss"
    values = []
    for one in figures["replicas"]:
        for key in name.split("."):
            one = one[key]
        values.append(one)
    assert figures["mean"][name] == pytest.approx(np.mean(values))
    assert figures["std"][name] == pytest.approx(np.std(values, ddof=1))
    assert f"{np.mean(values):.4g} ± " in table
    assert json.loads(json.dumps(figures)) == figures


def test_there_are_no_other_replicas(runs):
    for index in (-1, REPLICAS):
        with pytest.raises(JaxgenError, match="this run has 3, 0 to 2"):
            runs[0].replica(index)


def test_the_folder_of_a_run_with_replicas(runs):
    run = Run(runs[0].config.workdir)
    with run.metrics_path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [str(step) for step in range(1, 7)]
    loss = next(name for name in runs[1].history if name.endswith("loss"))
    assert {loss, f"{loss}_std", f"seed_3/{loss}", f"seed_5/{loss}"} <= rows[0].keys()
    assert all((run.path / name).stat().st_size > 1000 for name in ("curves.png", "samples.gif"))
    sizes = []
    for model in runs:
        with Image.open(Run(model.config.workdir).samples_path / "step_000006.png") as picture:
            sizes.append(picture.size[0] * picture.size[1])
    assert sizes[0] > 3 * sizes[1]
    summary = read_json(run.summary_path)["metrics"]
    of_seeds = [summary[f"seed_{seed}/{loss}"] for seed in (3, 4, 5)]
    assert summary[loss] == pytest.approx(np.mean(of_seeds))
    assert summary[f"{loss}_std"] == pytest.approx(np.std(of_seeds, ddof=1))


def test_what_a_run_with_replicas_tells_is_of_each_seed(runs):
    told, alone = (told_run.told(told_run.read(m.config.workdir)) for m in runs)
    assert (told.state, told.seeds) == ("finished", (3, 4, 5))
    assert told.curves.keys() == alone.curves.keys()
    for name, (series,) in alone.curves.items():
        np.testing.assert_array_equal(told.curves[name][-1], series)
        assert told.figures[name][-1] == alone.figures[name][0]
    for (step, captions), (_, own) in zip(told.captions, alone.captions, strict=True):
        assert [c.sentence for c in captions if c.seed == 5] == [c.sentence for c in own], step
    assert "3 seeds side by side" in Run(runs[0].config.workdir).report_path.read_text()


def test_a_stop_changes_no_bit_of_a_run_with_replicas(runs, tmp_path):
    whole = Run(runs[0].config.workdir)
    stopped = Run(shutil.copytree(whole.path, tmp_path / "stopped"))
    shutil.rmtree(stopped.path / "checkpoints" / "6")  # what was lost is trained again
    stopped.summary_path.unlink()
    jaxgen.run(replace(runs[0].config, workdir=str(stopped.path)))
    assert whole.metrics_path.read_bytes() == stopped.metrics_path.read_bytes()
    told = [read_json(run.summary_path)["parameters_sha256"] for run in (whole, stopped)]
    assert told[0] == told[1]


def test_another_number_of_replicas_or_other_seeds_are_refused(runs, tmp_path):
    folder = shutil.copytree(runs[0].config.workdir, tmp_path / "copy")
    config = replace(runs[0].config, workdir=str(folder))
    for changed, words in (
        ({"replicas": 1}, "replicas: 3 -> 1"),
        ({"replicas": 4}, "replicas: 3 -> 4"),
        ({"seed": 0}, "seed: 3 -> 0"),
    ):
        with pytest.raises(JaxgenError, match=words):
            experiment.train(replace(config, **changed))
    single = replace(runs[1].config, replicas=2)
    with pytest.raises(JaxgenError, match="replicas: 1 -> 2"):
        experiment.train(single)


def test_a_configuration_that_was_altered_to_other_replicas_is_told(runs):
    saved = runs[0]._saved
    with pytest.raises(JaxgenError, match="does not hold 2 replicas"):
        TrainedReplicas(replace(runs[0].config, replicas=2), saved)


def test_a_damaged_metrics_file_keeps_the_rows_of_all_seeds(runs, tmp_path, capsys):
    folder = shutil.copytree(runs[0].config.workdir, tmp_path / "copy")
    path = folder / "metrics.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "3,damaged\n", *lines[4:]]))
    shutil.rmtree(folder / "checkpoints" / "6")
    jaxgen.run(replace(runs[0].config, workdir=str(folder)))
    assert "sound rows for 3 of 4 steps" in capsys.readouterr().err
    kept = jaxgen.load(folder).replica(1).history
    loss = next(name for name in kept if name.endswith("loss"))
    assert kept[loss][0].tolist() == [1, 2, 4, 5, 6]


ON_DEVICES = """
import dataclasses, json
import jax, numpy as np
from benchmarks.device_groups import device_groups
from jaxgen.training import mesh as meshes, replicas
from jaxgen.training.loop import Loop
from tests.training import members

config = members.small("vanilla_gan", workdir="", steps=4, batch_size=8, log_every=4)
task = config.task()

def loop_of(devices, **changed):
    devices = jax.devices()[:devices]
    return Loop(task, dataclasses.replace(config, **changed), meshes.make_mesh(devices))

def after(loop):
    return loop.dispatch(loop.initial_state(), 0, 4)

PLACES = (2, 4, True), (4, 2, False), (3, 4, False)
for count, devices, shard in PLACES:
    loop = loop_of(devices, replicas=count, shard_parameters=shard)
    groups = device_groups(loop.lowered().compile().as_text(), devices)
    rows = loop.mesh.shape.get("replica", 1)
    state, history = after(loop)
    own, theirs = after(loop_of(devices // rows, seed=1, shard_parameters=shard))
    mine = loop.replica(state, 1)
    whole = all(len(x.sharding.device_set) == devices for x in jax.tree.leaves(mine))
    mine, own, history, theirs = jax.tree.map(np.asarray, (mine, own, history, theirs))
    print(json.dumps({
        "rows": rows,
        "groups": sorted(map(sorted, groups)),
        "same metrics": all(np.array_equal(history[n][1], theirs[n]) for n in theirs),
        "same": all(jax.tree.leaves(jax.tree.map(np.array_equal, mine, own))),
        "whole": whole,
    }), flush=True)

# As on an accelerator: one batch of operations.
meshes.platform_of = lambda mesh: "tpu"
for count in (4, 2):
    loop = loop_of(4, replicas=count)
    _, history = after(loop)
    groups = device_groups(loop.lowered().compile().as_text(), 4)
    _, theirs = after(loop_of(4 // count, seed=1))
    history, theirs = jax.tree.map(np.asarray, (history, theirs))
    error = max(float(np.abs(history[n][1] - theirs[n]).max()) for n in theirs)
    print(json.dumps({"groups": sorted(map(sorted, groups)), "error": error}), flush=True)
"""


@pytest.mark.long
def test_replicas_on_four_devices_have_nothing_to_tell_each_other(on_devices):
    *in_turn, four, two = map(json.loads, on_devices(ON_DEVICES).stdout.splitlines())
    assert [row["rows"] for row in in_turn] == [2, 2, 1]
    pairs, none, everyone = [[0, 1], [2, 3]], [], [[0, 1, 2, 3]]
    assert [row["groups"] for row in in_turn] == [pairs, none, everyone]
    assert all(row["same metrics"] and row["same"] and row["whole"] for row in in_turn)
    assert (four["groups"], two["groups"]) == (none, pairs)
    assert max(four["error"], two["error"]) < 1e-4
