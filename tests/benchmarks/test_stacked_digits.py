"""The benchmark of stacked digits: what it trains, keeps, and tells."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import stacked_curves, stacked_digits
from jaxgen.data.images.stacked_digits import StackedDigits
from jaxgen.gan import losses
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.pacgan import PacGAN
from jaxgen.metrics.samples import stacked


@pytest.fixture
def small(monkeypatch, tmp_path):
    """The benchmark with tiny networks and few samples, as a command."""
    monkeypatch.setattr(stacked, "SAMPLES", 60)
    monkeypatch.setattr(stacked.StackedClassifier, "samples", 60)
    monkeypatch.setattr(stacked_digits, "FLOOR_DRAWS", 2)
    tiny = replace(
        stacked_digits.NETWORKS["dcgan"],
        networks=MLP(generator_hidden=(8,), discriminator_hidden=(4,)),
        data=StackedDigits(train=64),
        evaluate_samples=60,
        batch_size=20,
        steps=4,
    )
    monkeypatch.setattr(stacked_digits, "NETWORKS", {"pacgan": tiny, "dcgan": tiny})

    def run(*flags):
        out = tmp_path / "out.json"
        argv = ["stacked_digits", *flags, "--out", str(out)]
        monkeypatch.setattr(sys, "argv", argv)
        stacked_digits.main()
        return json.loads(out.read_text()), out

    return run


def test_finished_trainings_are_kept_and_told(small, monkeypatch, capsys):
    flags = ["--networks", "dcgan", "--seeds", "2", "--every", "2"]
    rows, out = small(*flags, "--remedies", "packing")
    (packed,) = (row for row in rows if row["networks"] == "dcgan")
    assert [one["step"] for one in packed["points"]] == [2, 4]
    for one in packed["points"]:
        assert len(one["modes"]) == len(one["reverse_kl"]) == 2
        assert all(1 <= modes <= 60 for modes in one["modes"])
        assert one["seconds"] > 0 and one["processor_seconds"] > 0
    assert packed["settings"]["packing"] == 2 and packed["settings"]["batch_size"] == 40
    capsys.readouterr()

    trained = []
    monkeypatch.setattr(
        stacked_digits, "trained", lambda config: trained.append(config) or {"points": [POINT]}
    )
    more, out = small(*flags, "--remedies", "packing", "none")
    assert [config.loss for config in trained] == [losses.non_saturating]
    assert len(more) == len(rows) + 1
    table = out.with_suffix(".md").read_text()
    assert "| dcgan | non-saturating, packing 2 | 0 to 1 | 4 |" in table
    assert "| dcgan | non-saturating | 0 to 1 | 7 | 0.5 | 0.8 | 16 ± 1 | 0.500 ± 0.141 |" in table
    assert "| real triples | of digits nobody has seen | 2 draws |" in table
    assert out.with_suffix(".png").stat().st_size > 10_000
    assert "reverse KL" in capsys.readouterr().out


POINT = {
    "step": 7,
    "seconds": 30.0,
    "processor_seconds": 48.0,
    "modes": [15, 17],
    "reverse_kl": [0.4, 0.6],
}


def test_every_remedy_has_a_title_and_pacgan_its_own_numbers():
    assert set(stacked_digits.REMEDIES) <= set(stacked_curves.TITLES)
    config = stacked_digits.NETWORKS["pacgan"]
    assert config.networks == PacGAN()
    assert (config.noise_size, config.batch_size, config.optimizer.learning_rate) == (100, 64, 2e-4)


def test_seconds_are_those_of_training(monkeypatch):
    """Each stretch ends with its steps; what evaluation takes is left out."""
    now = [0.0]
    monkeypatch.setattr(stacked_digits.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(stacked_digits.time, "process_time", lambda: 2 * now[0])
    config = replace(stacked_digits.NETWORKS["dcgan"], steps=20, evaluate_every=10, replicas=2)
    curves = stacked_digits.Curves(config)
    found = {f"seed_{seed}/{name}": 1.0 for seed in (0, 1) for name in ("modes", "reverse_kl")}
    now[0] = 5.0
    curves.start()
    for first in (0, 10):
        now[0] += 4
        curves.metrics(first + 1, {"d_loss": np.zeros(5)})
        curves.figures(first + 5, {"diversity": 1.0})
        now[0] += 6
        curves.metrics(first + 6, {"d_loss": np.zeros(5)})
        now[0] += 100
        curves.figures(first + 10, found)
    assert [one["seconds"] for one in curves.points] == [5, 10]
    assert [one["processor_seconds"] for one in curves.points] == [10, 20]
