"""Which replica of a run the commands take, what they say of it, and what they refuse."""

import sys

import jax
import numpy as np
import pytest
from flax.serialization import to_state_dict

from jaxgen.__main__ import main
from jaxgen.commands import sample
from jaxgen.commands.run_argument import RunArgument
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training.task import Saved
from jaxgen.training.trained_replicas import TrainedReplicas

ABOUT = {"image_shape": [28, 28, 1], "classes": 10, "examples": 8}
CONFIG = GanConfig(
    workdir="",
    steps=1,
    batch_size=8,
    noise_size=5,
    seed=6,
    replicas=4,
    networks=MLP(generator_hidden=(6,), discriminator_hidden=(5,)),
)


@pytest.fixture(autouse=True)
def replicas(monkeypatch, tmp_path):
    init = CONFIG.gan(AboutImages((28, 28, 1), 10, 8)).init
    states = jax.vmap(lambda key: init(key, {}))(jax.random.split(jax.random.key(1), 4))
    model = TrainedReplicas(CONFIG, Saved(to_state_dict(jax.tree.map(np.asarray, states)), ABOUT))
    monkeypatch.setattr(RunArgument, "opened", lambda self: model)
    monkeypatch.chdir(tmp_path)
    return model


def drawn():
    with np.load("a.npz") as made:
        return made["images"]


def test_the_replica_that_is_asked_for_draws(replicas, capsys):
    assert sample.main("run --n 3 --out a.npz --replica 2".split()) == 0
    np.testing.assert_array_equal(drawn(), replicas.replica(2).sample(n=3)[..., 0])
    assert "replica" not in capsys.readouterr().err


def test_without_a_word_the_first_one_draws_and_is_named(replicas, capsys):
    assert sample.main("run --n 3 --out a.npz".split()) == 0
    np.testing.assert_array_equal(drawn(), replicas.replica(0).sample(n=3)[..., 0])
    assert "note: run has 4 replicas, of which this is 0, seed 6" in capsys.readouterr().err


def said(monkeypatch, capsys, line):
    monkeypatch.setattr(sys, "argv", ["jaxgen", *line.split()])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code, capsys.readouterr().err


@pytest.mark.parametrize("command", ["sample run --out a.npz", "caption run"])
def test_a_replica_that_is_not_there_is_refused(monkeypatch, capsys, command):
    code, told = said(monkeypatch, capsys, f"{command} --replica 9")
    assert (code, told) == (2, "error: there is no replica 9: this run has 4, 0 to 3\n")
    code, told = said(monkeypatch, capsys, f"{command} --replica -1")
    assert (code, told) == (2, "error: --replica must be at least 0, got -1\n")


def test_a_run_without_replicas_has_number_0_alone(monkeypatch, capsys, replicas):
    single = replicas.replica(1)
    monkeypatch.setattr(RunArgument, "opened", lambda self: single)
    assert sample.main("run --n 3 --out a.npz --replica 0".split()) == 0
    capsys.readouterr()
    code, told = said(monkeypatch, capsys, "sample run --out a.npz --replica 1")
    assert (code, told) == (2, "error: --replica 1: run has no replicas\n")
