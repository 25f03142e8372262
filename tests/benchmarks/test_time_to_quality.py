"""Time to quality: what counts, when an attempt ends, what is kept, and the table."""

import importlib
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.time_to_quality import __main__ as command
from benchmarks.time_to_quality import attempt as attempts
from benchmarks.time_to_quality import jaxgen_side, recipes
from benchmarks.time_to_quality.recipes import GOALS, RECIPES, Changes, Goal, recipe_config
from benchmarks.time_to_quality.table import outcome, table
from jaxgen.captioning.captioners.recurrent import LSTM
from jaxgen.data.scenes.captions import Scenes
from jaxgen.errors import JaxgenError
from jaxgen.gan.config import AboutImages
from jaxgen.gan.networks.mlp import MLP

SMALL = MLP(generator_hidden=(8,), discriminator_hidden=(8,))


@pytest.fixture
def now(monkeypatch):
    """A monotonic clock that the test moves."""
    moment = [100.0]
    monkeypatch.setattr(attempts.time, "monotonic", lambda: moment[0])
    return moment


def told(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_evaluations_do_not_count(now, capsys):
    clock = attempts.Clock(90.0)
    attempt = attempts.Attempt(clock, "fid", lambda value: value <= 2)
    attempt.begins()
    figures = iter([{"fid": 3.0}, {"fid": 2.0}])

    def measure():
        now[0] += 50
        return next(figures)

    now[0] += 5
    assert not attempt.is_over(7, measure)
    now[0] += 2
    with clock.stopped():
        now[0] += 1000
    assert attempt.is_over(14, measure)
    assert told(capsys) == [
        {"step": 0, "seconds": 10.0},
        {"step": 7, "seconds": 15.0, "figure": 3.0, "reached": False},
        {"step": 14, "seconds": 17.0, "figure": 2.0, "reached": True},
    ]


def test_goals_know_which_way_is_better():
    fid, share = GOALS["dcgan"], GOALS["conditional_dcgan"]
    assert fid.is_reached(2.5) and not fid.is_reached(2.6)
    assert share.is_reached(0.97) and not share.is_reached(0.96)
    assert (fid.best([3.0, 2.0]), share.best([0.3, 0.2])) == (2.0, 0.3)
    assert (str(fid), str(share)) == ("FID at most 2.5", "label agreement at least 0.97")


@pytest.mark.parametrize("experiment", RECIPES)
def test_each_recipe_trains_and_evaluates_and_does_nothing_else(experiment):
    first, *_, last = RECIPES[experiment]
    assert (first, last) == ("default", "best")
    module = importlib.import_module(f"experiments.{experiment}")
    for recipe in RECIPES[experiment]:
        config = recipe_config(experiment, recipe, 3, Changes(samples=70))
        assert (config.seed, config.sample_every, config.checkpoint_every) == (3, 0, 0)
        assert config.evaluate_every == GOALS[experiment].evaluate_every
        assert 70 in (
            getattr(config, "evaluate_samples", 0),
            getattr(config, "evaluate_images", 0),
        )
    assert RECIPES[experiment]["default"] == module.config
    assert RECIPES[experiment]["best"].precision == "bfloat16"
    with pytest.raises(JaxgenError, match=r"must be at least 1, got -3, 2$"):
        recipe_config(experiment, "best", 0, Changes(steps=-3, evaluate_every=2))


@pytest.fixture
def attempt(monkeypatch, capsys):
    """Runs an attempt in this process, of small networks, and gives what it told."""
    monkeypatch.setattr(attempts.os, "cpu_count", lambda: 1)
    config = replace(RECIPES["conditional_dcgan"]["best"], networks=SMALL, batch_size=10)
    clustered = replace(RECIPES["dcgan"]["best"], networks=SMALL, batch_size=10, clusters=4)
    captions = replace(
        RECIPES["caption_lstm"]["default"],
        captioner=LSTM(hidden=8, word_size=4, dropout=0.1),
        data=Scenes(scenes=20),
        batch_size=10,
    )
    monkeypatch.setitem(recipes.RECIPES, "conditional_dcgan", {"best": config})
    monkeypatch.setitem(recipes.RECIPES, "dcgan", {"best": clustered})
    monkeypatch.setitem(recipes.RECIPES, "caption_lstm", {"default": captions})

    def run(*flags):
        monkeypatch.setattr(sys, "argv", ["attempt", *map(str, flags)])
        attempts.main()
        return told(capsys)

    return run


@pytest.mark.long
@pytest.mark.parametrize("side", ["jaxgen", "torch"])
@pytest.mark.parametrize(
    "experiment, recipe", [("conditional_dcgan", "best"), ("caption_lstm", "default")]
)
def test_an_attempt_of_either_side_ends_when_it_is_good_enough(attempt, side, experiment, recipe):
    if side == "torch":
        pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is not there")
    flags = [experiment, recipe, "--side", side, "--steps", 5, "--evaluate-every", 2]
    flags += ["--samples", 40]
    begins, *evaluations = attempt(*flags, "--target", 2)
    assert [each["step"] for each in evaluations] == [2, 4, 5]  # the last step is judged too
    assert not any(each["reached"] for each in evaluations)
    seconds = [begins["seconds"], *(each["seconds"] for each in evaluations)]
    assert seconds == sorted(seconds)
    assert all(0 <= each["figure"] <= 1 for each in evaluations)
    [_, only] = attempt(*flags, "--target", -1)
    assert (only["step"], only["reached"]) == (2, True)
    assert len(attempt(*flags, "--target", 0, "--stop", "compiled")) == 1
    assert attempt(*flags, "--target", 0, "--stop", "loaded") == []


@pytest.mark.long
@pytest.mark.parametrize("side", ["jaxgen", "torch"])
def test_either_side_trains_on_clusters(attempt, side):
    if side == "torch":
        pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is not there")
    flags = ["--steps", 2, "--evaluate-every", 2, "--samples", 40, "--target", 1e9]
    [_, only] = attempt("dcgan", "best", "--side", side, *flags)
    assert (only["step"], only["reached"]) == (2, True)
    assert only["figure"] > 1


def test_a_twin_is_asked_for_the_labels_that_jaxgen_asks_for(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is not there")
    side = importlib.import_module("benchmarks.time_to_quality.torch_side")
    monkeypatch.setattr(side.torch_gans, "sample", lambda twin, n, seed, turns: turns(0, n))
    config = RECIPES["dcgan"]["best"]
    about = AboutImages((28, 28, 1), classes=10, examples=5, cluster_sizes=(3, 0, 2))
    clusters = side.TwinSampler(config.sampler(about))
    assert np.bincount(clusters.sample(None, 100, 0)).tolist() == [60, 0, 40]
    assert clusters.asked_classes == 0  # nobody asks for a cluster
    about = replace(about, cluster_sizes=())
    classes = side.TwinSampler(RECIPES["conditional_dcgan"]["best"].sampler(about))
    assert classes.sample(None, 12, 0).tolist() == [*range(10), 0, 1]
    assert classes.asked_classes == 10


def test_jaxgens_side_stops_where_it_is_told(monkeypatch, capsys):
    """With nothing compiled, if only the data are asked for."""
    config = replace(RECIPES["dcgan"]["default"], networks=SMALL, batch_size=10)
    monkeypatch.setattr(jaxgen_side, "Loop", None)
    jaxgen_side.train(config, attempts.Attempt(attempts.Clock(0), "fid", bool), "loaded")
    assert told(capsys) == []


@pytest.fixture
def campaign(monkeypatch, tmp_path):
    """The command with attempts that take no time; gives what it printed and what was run."""
    calls = []

    def attempt(flags, compiled):
        calls.append((flags, compiled))
        if "--stop" in flags:
            return []
        seed = int(flags[flags.index("--seed") + 1])
        reached = not (seed == 2 and "torch" in flags)
        slower = 3.0 if "torch" in flags else 1.0
        first = {"step": 39, "seconds": slower * (20 + seed), "figure": 2.8, "reached": False}
        last = {"step": 78, "seconds": slower * (40 + seed), "figure": 2.4, "reached": reached}
        return [{"step": 0, "seconds": 5.0}, first, last]

    monkeypatch.setattr(command, "attempt", attempt)
    monkeypatch.setattr(command, "find_spec", lambda name: True)
    monkeypatch.setattr(command.importlib.metadata, "version", lambda name: "1.2")
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        calls.clear()
        monkeypatch.setattr(sys, "argv", ["time_to_quality", *flags])
        command.main()
        return list(calls)

    return run


def test_attempts_take_turns_are_kept_and_make_a_table(campaign, capsys):
    flags = ["--only", "dcgan", "--recipes", "default"]
    timed = [call for call in campaign(*flags) if "--stop" not in call[0]]
    lines = capsys.readouterr().out.splitlines()
    assert [(c[0][5], c[0][3]) for c in timed[:3]] == [
        ("0", "jaxgen"),
        ("0", "torch"),
        ("1", "jaxgen"),
    ]
    assert len({compiled for _, compiled in timed}) == 6  # each with an empty cache
    assert lines[0] == (
        "dcgan default seed 0 jaxgen: FID 2.4 after 78 steps, 40.0 s, of which 5.0 s before the "
        "first"
    )
    assert lines[5] == (
        "dcgan default seed 2 torch: FID at most 2.5 not reached in 78 steps, 126.0 s; 2.4 was the "
        "best"
    )
    assert lines[-1] == (
        "| DCGAN | default | FID at most 2.5 | 41.0 s (40.0, 41.0, 42.0) | 78 | "
        "123.0 s (120.0, 123.0, not reached) | 78 | **3.00** |"
    )
    assert campaign(*flags) == []
    assert capsys.readouterr().out.splitlines()[-1] == lines[-1]
    assert len(campaign(*flags, "--targets", "dcgan=2", "--seeds", "1")) == 4  # another target
    assert len(campaign(*flags, "--evaluate-every", "13", "--seeds", "1")) == 4


def test_a_warm_start_finds_what_was_compiled_before(campaign):
    calls = campaign("--only", "caption_lstm", "--recipes", "best", "--seeds", "0", "--warm")
    assert [flags[flags.index("--stop") + 1] for flags, _ in calls[::2]] == ["compiled"] * 2
    assert len({compiled for _, compiled in calls}) == 1


@pytest.mark.parametrize("text", ["dcgan", "dcgan=x", "other=3"])
def test_wrong_targets_are_refused(text):
    with pytest.raises(JaxgenError, match=f"--targets {text}: give NAME=NUMBER, NAME one of dcgan"):
        command.goals([text])


def test_one_side_alone_has_no_ratio():
    goal = Goal("DCGAN", "fid", "FID", 2.5, 39, less_is_better=True)
    row = {
        "experiment": "dcgan",
        "recipe": "best",
        "side": "jaxgen",
        "start": "cold",
        "machine": {"cores": 2, "cpu": "x"},
        "versions": {"jax": "1"},
        "date": "2026-01-01",
        "first_step_begins": 3.0,
        "evaluations": [{"step": 1950, "seconds": 9.0, "figure": 3.1, "reached": False}],
    }
    assert table([row], {"dcgan": goal}).splitlines()[-1] == (
        "| DCGAN | best | FID at most 2.5 | not reached | - | - | - | - |"
    )
    assert outcome(row, goal).endswith("not reached in 1950 steps, 9.0 s; 3.1 was the best")
    assert np.isinf(importlib.import_module("benchmarks.time_to_quality.table").seconds(row))


def test_a_process_that_fails_is_told_with_its_last_words(tmp_path):
    with pytest.raises(JaxgenError, match=r"attempt nothing ended so: .*required: recipe, --side"):
        command.attempt(["nothing"], tmp_path)
