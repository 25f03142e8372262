"""A run that is watched, from Python and by the command: what is told is what it records."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import jaxgen
from experiments import vanilla_gan
from jaxgen.commands import cli
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training.recorder import Recorder
from jaxgen.training.watchers.base import RunWatcher


class Noting(RunWatcher):
    """Notes what it is told."""

    def __init__(self):
        self.scalar, self.shown, self.ends = {}, [], []

    def scalars(self, step, figures):
        assert step not in self.scalar
        self.scalar[step] = figures

    def picture(self, step, picture, text):
        self.shown.append((step, picture.shape))

    def end(self, step, state, why):
        self.ends.append((step, state))


class Late(Noting):
    """Is told of a run that went without it before."""


class Broken(RunWatcher):
    def scalars(self, step, figures):
        raise ValueError("nobody listens")


def test_what_is_told_is_what_is_recorded(tmp_path, monkeypatch, capsys):
    config = replace(
        vanilla_gan.config,
        networks=MLP(generator_hidden=(4,), generator_normalized=(), discriminator_hidden=(4,)),
        steps=8, batch_size=8, log_every=2, checkpoint_every=4, sample_every=4, evaluate_every=0,
        replicas=2, workdir=str(tmp_path / "a"),
    )  # fmt: skip
    noting, real = Noting(), Recorder.figures

    def dies(self, at, figures):
        real(self, at, figures)
        if at == 6:
            raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "figures", dies)
        with pytest.raises(MemoryError):
            jaxgen.run(config, watch=[noting])
    assert noting.ends == [(6, "failed")]
    late = Late()
    jaxgen.run(config, watch=[Broken(), noting, late])  # goes on at step 4
    assert sorted(late.scalar) == [2, 4, 6, 8]
    for step, figures in noting.scalar.items():
        assert late.scalar[step] == pytest.approx(figures, rel=1e-6)
    told = capsys.readouterr().err
    assert told.count("the watcher ") == 1
    assert "failed in scalars (ValueError: nobody listens); it is left out\n" in told
    assert noting.ends[1:] == [(8, "finished")]
    assert [step for step, _ in noting.shown] == [4, 8]
    assert sorted(noting.scalar) == [2, 4, 6, 8]
    with open(tmp_path / "a" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    for name in ("d_loss", "diversity", "seed_0/d_loss", "seed_1/d_loss"):
        for step, figures in noting.scalar.items():
            values = [float(row[name]) for row in rows[step - 2 : step] if row[name]]
            assert figures[name] == pytest.approx(np.mean(values), rel=1e-6)
            assert figures["d_loss_std"] >= 0


@pytest.mark.parametrize("name", ["nobody", "missing.py:Class"])
def test_the_command_refuses_before_it_begins(tmp_path, capsys, name):
    flags = ["--workdir", str(tmp_path / "run"), "--watch", name]
    with pytest.raises(SystemExit) as stop:
        cli.main(vanilla_gan.config, "", flags)
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "run").exists()
