"""Small generators with random weights, and data for them."""

import dataclasses

import jax
import numpy as np
import pytest
from flax.serialization import to_state_dict

from jaxgen.data.images.base import Images
from jaxgen.gan import noise
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.training import configs
from jaxgen.training.task import Saved


@dataclasses.dataclass(frozen=True)
class Dots(Images):
    """600 images of 16x16 pixels with a bright square somewhere, the same each time."""

    def load(self):
        rng = np.random.default_rng(0)
        image = rng.integers(0, 40, (600, 16, 16, 1), np.uint8)
        for one, (top, left) in zip(image, rng.integers(0, 12, (600, 2)), strict=True):
            one[top : top + 4, left : left + 4] += 200
        return {"image": image, "label": (np.arange(600) % 3).astype(np.int32)}


def restored(about=None, **changes):
    """A GAN as `jaxgen.load` gives one, untrained; batch norm has averages that no batch has."""
    about = AboutImages(about or (16, 16, 1), classes=3, examples=400)
    config = GanConfig(
        workdir="",
        steps=1,
        batch_size=8,
        noise_size=6,
        networks=MLP(generator_hidden=(24,), discriminator_hidden=(5,)),
        data=Dots(train=400),
    )
    config = dataclasses.replace(config, **changes)
    state = to_state_dict(jax.jit(config.gan(about).init)(jax.random.key(1), {}))
    # Large enough that images differ.
    state["generator"] = jax.tree.map(lambda x: 3 * np.asarray(x) + 0.1, state["generator"])
    return config.restored(Saved(state, configs.to_json(about, AboutImages)))


@pytest.fixture(scope="session")
def model():
    """A small one of uniform noise."""
    return restored()


@pytest.fixture(scope="session")
def conditional():
    """A small one of normal noise and three classes."""
    return restored(conditional=True, noise=noise.normal)


@pytest.fixture(scope="session", params=["r3gan", "sngan"])
def residual(request):
    """A conditional sampler of residual networks, its weights, and the first kernel of these."""
    if request.param == "r3gan":
        networks, layer = R3GAN(generator_channels=(4, 4), group=4), ("start",)
    else:
        networks, layer = SNGAN(generator_channels=(4, 4)), ("Dense_0", "Dense_0")
    module = networks.generator((8, 8, 1))
    sampler = Sampler(module, noise.normal, 6, classes=3, block=8)
    init = jax.jit(lambda key: module.init(key, np.zeros((2, 6)), np.eye(3)[:2], train=False))
    variables = init(jax.random.key(1))
    kernel = variables["params"]
    for name in layer:
        kernel = kernel[name]
    weights = Weights(variables["params"], variables.get("batch_stats", {}))
    return sampler, weights, np.asarray(kernel["kernel"])[:6]
