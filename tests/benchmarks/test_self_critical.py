"""The parts of a step of self-critical training are timed; what is no captioner is refused."""

import dataclasses
import re

import pytest

from experiments import caption_lstm, vanilla_gan
from jaxgen.captioning.captioners.recurrent import LSTM
from jaxgen.data.scenes.captions import Scenes
from jaxgen.training import experiment


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "lstm"
    config = dataclasses.replace(
        caption_lstm.config,
        workdir=str(path),
        captioner=LSTM(hidden=8, word_size=8),
        data=Scenes(scenes=20),
        steps=2,
        batch_size=4,
        sample_every=0,
        evaluate_every=0,
    )
    experiment.train(config)
    return path


@pytest.mark.long
def test_each_part_is_timed_beside_the_gradient(run, run_module):
    flags = ["--repeats", 1, "--batch", 4, "--samples", 2]
    code, told = run_module("benchmarks.self_critical", run, *flags)
    assert code == 0, told
    names = [line[:16].strip() for line in told.splitlines() if " of the gradient" in line]
    assert names == ["draw", "reward cider", "reward truth", "gradient"]
    assert re.search(r"gradient +[\d.]+ ms +1\.00 of the gradient", told)
    code, told = run_module("benchmarks.self_critical", run, *flags, "--rewards", "praise")
    assert code == 2
    assert "--rewards praise: there are cider, truth" in told
    code, told = run_module("benchmarks.self_critical", run, "--samples", 0)
    assert code == 2
    assert "--samples must be at least 1, got 0" in told


def test_a_run_of_something_else_is_refused(tmp_path, run_module):
    gan = dataclasses.replace(vanilla_gan.config, workdir=str(tmp_path / "gan"), steps=1)
    networks = dataclasses.replace(gan.networks, generator_hidden=(4,), discriminator_hidden=(4,))
    experiment.train(dataclasses.replace(gan, networks=networks, batch_size=4, sample_every=0))
    code, told = run_module("benchmarks.self_critical", tmp_path / "gan")
    assert code == 2
    assert "is no run of a captioner" in told
