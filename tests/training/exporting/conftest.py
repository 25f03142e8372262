"""Small models with all that can go wrong: batch norm, labels, a moving average, a recurrence."""

import dataclasses

import jax
import numpy as np
import pytest
from flax.serialization import to_state_dict

from experiments import conditional_gan
from jaxgen.captioning.captioners.recurrent import LSTM
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.data.captions.vocabulary import SPECIAL
from jaxgen.data.images.idx import Idx
from jaxgen.gan.config import AboutImages
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training import configs
from jaxgen.training.exporting import folder
from jaxgen.training.task import Saved

NETWORKS = MLP(
    generator_hidden=(9, 7),
    generator_normalized=(1,),
    generator_slope=0.2,
    discriminator_hidden=(5,),
)
GAN = dataclasses.replace(
    conditional_gan.config,
    networks=NETWORKS,
    noise_size=6,
    batch_size=8,
    average_decay=0.9,
    data=Idx(dir="/home/somebody/secret"),
)
WORDS = (*SPECIAL, *"a cat sees the dog and runs".split())
CAPTIONS = CaptionConfig(workdir="", steps=1, captioner=LSTM(hidden=7, word_size=5), max_length=6)
FEATURES = 4


def varied(state):
    """The state with every array as far from its first value as training leaves it."""
    rng = np.random.default_rng(7)
    return jax.tree.map(
        lambda x: np.asarray(x) + np.abs(rng.normal(0, 0.3, x.shape)).astype(x.dtype), state
    )


def gan(config=GAN, cluster_sizes=()):
    about = AboutImages((28, 28, 1), 10, examples=8, cluster_sizes=cluster_sizes)
    state = to_state_dict(jax.jit(config.gan(about).init)(jax.random.key(1), {}))
    state["average"] = varied(state["average"])
    return config.restored(Saved(state, configs.to_json(about, AboutImages), step=3))


def captioner(config=CAPTIONS):
    about = AboutCaptions(WORDS, (FEATURES,), examples=8)
    batch = {"features": np.zeros((2, FEATURES), np.float32)}
    state = to_state_dict(jax.jit(config.captioning(about).init)(jax.random.key(2), batch))
    rng = np.random.default_rng(3)
    params = jax.tree.map(
        lambda x: rng.normal(0, 1.5 if x.ndim > 1 else 0.2, x.shape).astype(x.dtype),
        state["params"],
    )
    about = configs.to_json(about, AboutCaptions)
    return config.restored(Saved({"params": params}, about, step=4))


@pytest.fixture(scope="session")
def exported_gan(tmp_path_factory):
    """A GAN's model and its exported folder, which no test changes."""
    out = tmp_path_factory.mktemp("exported") / "gan"
    model = gan()
    figures = {"fid": {"value": 3.25, "matched": 0.5, "floor": 0.125}}
    folder.write(model, out, folder.Extras(torch=True, license="mit", figures=figures))
    return model, out


@pytest.fixture(scope="session")
def exported_captioner(tmp_path_factory):
    """A captioner's model and its exported folder, which no test changes."""
    out = tmp_path_factory.mktemp("exported") / "captioner"
    model = captioner()
    figures = {"cider_d": 1.5, "nearest": {"cider_d": 0.75}}
    folder.write(model, out, folder.Extras(torch=True, figures=figures))
    return model, out
