"""Small generators with random weights, and data for them."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

from jaxgen.data.images.base import Images
from jaxgen.gan import noise
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.gan.sampling import Sampler
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
    shapes = config.sampler(about).weight_shapes()._asdict()
    # Large enough that images differ.
    state = {"generator": jax.tree_util.tree_map_with_path(partial(filled, 3), shapes)}
    return config.restored(Saved(state, configs.to_json(about, AboutImages)))


def filled(gain, path, shape):
    """Kernels at random and gains near 1, without a program that is compiled for them."""
    rng = np.random.default_rng(len(path) + shape.size)
    if shape.ndim < 2:
        value = gain if path[-1].key in ("scale", "var") else 0.0
        return np.full(shape.shape, value + 0.1, shape.dtype)
    wide = np.prod(shape.shape[:-1]) + shape.shape[-1]
    kernel = rng.normal(0, gain * np.sqrt(2 / wide), shape.shape)
    return kernel.astype(shape.dtype)


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
    weights = jax.tree_util.tree_map_with_path(partial(filled, 1), sampler.weight_shapes())
    kernel = weights.params
    for name in layer:
        kernel = kernel[name]
    return sampler, weights, kernel["kernel"][:6]
