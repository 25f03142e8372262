"""`jaxgen.run(config)`: what a notebook calls."""

from dataclasses import replace

import numpy as np
import pytest

import jaxgen
from experiments import vanilla_gan
from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training import experiment
from jaxgen.training.loop import Loop
from jaxgen.training.run_folder import Run


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return replace(
        vanilla_gan.config,
        networks=MLP(generator_hidden=(4,), generator_normalized=(), discriminator_hidden=(4,)),
        steps=4,
        batch_size=8,
        log_every=2,
        checkpoint_every=2,
        workdir=str(tmp_path_factory.mktemp("runs") / "a"),
    )


def test_run_trains_and_opens_and_opens_again(config):
    first = jaxgen.run(config)
    saved = Run(config.workdir).summary_path.read_bytes()
    again = jaxgen.run(config)
    assert np.array_equal(first.sample(seed=0, n=2), again.sample(seed=0, n=2))
    assert Run(config.workdir).summary_path.read_bytes() == saved
    assert experiment.train(config) is None  # finished


def test_what_may_change_changes_in_a_finished_run(config):
    finished = replace(config, workdir=f"{config.workdir}-changed")
    jaxgen.run(finished)
    model = jaxgen.run(replace(finished, evaluate_samples=77, sampling_statistics="batch"))
    assert model.config.evaluate_samples == 77
    assert jaxgen.load(finished.workdir).config.sampling_statistics == "batch"
    assert jaxgen.run(finished).config.sampling_statistics == "running"


def test_an_interrupted_run_says_so(config, monkeypatch):
    config = replace(config, workdir=f"{config.workdir}-interrupted")
    real_run = Loop.run

    def interrupted(*args):
        return real_run(*args)._replace(step=2, interrupted=2)

    monkeypatch.setattr(Loop, "run", interrupted)
    with pytest.raises(KeyboardInterrupt, match="after step 2"):
        jaxgen.run(config)
    assert Run(config.workdir).exists()


def test_another_configuration_is_refused(config):
    jaxgen.run(config)
    with pytest.raises(JaxgenError, match=r"another configuration \(seed: 0 -> 1\)"):
        jaxgen.run(replace(config, seed=1))


def test_a_field_of_another_type_is_told_before_anything_happens(config, tmp_path):
    for changes, words in (
        ({"steps": "4"}, "^steps must be a whole number, got '4'"),
        ({"networks": 3}, "^networks must be a Networks, got 3"),
        ({"batch_size": 0}, "^batch_size must be at least 1, got 0"),
    ):
        with pytest.raises(JaxgenError, match=words):
            jaxgen.run(replace(config, workdir=str(tmp_path / "x"), **changes))
    assert not (tmp_path / "x").exists()


def test_more_steps_extend_and_history_tells_all_of_them(config):
    longer = replace(config, workdir=f"{config.workdir}-longer")
    jaxgen.run(longer)
    model = jaxgen.run(replace(longer, steps=6))
    assert model.history["d_loss"][0].tolist() == [1, 2, 3, 4, 5, 6]
    whole = jaxgen.run(replace(config, workdir=f"{config.workdir}-whole", steps=6))
    assert np.array_equal(model.sample(n=2), whole.sample(n=2))
