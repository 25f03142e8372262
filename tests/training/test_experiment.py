"""`jaxgen.run(config)`: what a notebook calls."""

from dataclasses import replace

import numpy as np
import pytest

import jaxgen
from experiments import vanilla_gan
from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training import experiment
from jaxgen.training import run_folder as runs


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
    saved = (runs.Run(config.workdir).summary_path).read_bytes()
    again = jaxgen.run(config)
    assert np.array_equal(first.sample(seed=0, n=2), again.sample(seed=0, n=2))
    assert runs.Run(config.workdir).summary_path.read_bytes() == saved
    assert experiment.train(config) is None  # finished


def test_an_interrupted_run_says_so(config, monkeypatch):
    config = replace(config, workdir=f"{config.workdir}-interrupted")
    real_fit = experiment.fit

    def interrupted(*args):
        return real_fit(*args)._replace(step=2, interrupted=2)

    monkeypatch.setattr(experiment, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt, match="after step 2"):
        jaxgen.run(config)
    assert runs.Run(config.workdir).exists()


def test_another_configuration_is_refused(config):
    jaxgen.run(config)
    with pytest.raises(JaxgenError, match=r"another configuration \(seed: 0 -> 1\)"):
        jaxgen.run(replace(config, seed=1))
