"""Networks of your own: a GAN whose layers have skip connections.

    python examples/own_networks.py
    jaxgen evaluate runs/own_networks --import examples/own_networks.py

Fields are flags (`--networks.width 64`). A field that is added later says what older runs had:
`depth: int = setting(3, least=1, before=2)`.
"""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.commands import cli
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.base import Networks
from jaxgen.settings import setting

Array = jax.Array


class Residual(nn.Module):
    """Dense layers whose outputs are added up."""

    width: int
    depth: int

    @nn.compact
    def __call__(self, x_NF: Array) -> Array:
        x_NF = nn.Dense(self.width)(x_NF)
        for _ in range(self.depth):
            x_NF += nn.Dense(self.width)(nn.relu(x_NF))
        return x_NF


class Generator(nn.Module):
    """Noise (N, Z) to images (N, H, W, C) in [-1, 1]."""

    image_shape: tuple[int, int, int]
    numbers: "ResidualNetworks"

    @nn.compact
    def __call__(self, noise_NZ: Array, label_NK: Array | None = None, train: bool = True) -> Array:
        x_NF = Residual(self.numbers.width, self.numbers.depth)(noise_NZ)
        x_NF = nn.tanh(nn.Dense(math.prod(self.image_shape))(x_NF))
        return x_NF.reshape(-1, *self.image_shape)


class Discriminator(nn.Module):
    """Images (N, H, W, C) to logits (N,)."""

    numbers: "ResidualNetworks"

    @nn.compact
    def __call__(
        self, images_NHWC: Array, label_NK: Array | None = None, train: bool = False
    ) -> Array:
        x_NF = jnp.reshape(images_NHWC, (images_NHWC.shape[0], -1))
        return nn.Dense(1)(Residual(self.numbers.width, self.numbers.depth)(x_NF))[:, 0]


@dataclass(frozen=True)
class ResidualNetworks(Networks):
    """Fully connected networks with skip connections."""

    width: int = setting(256, least=1)
    """Of every hidden layer."""
    depth: int = setting(2, least=1)
    """Hidden layers that are added to what they read."""

    def generator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        return Generator(image_shape, self)

    def discriminator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        return Discriminator(self)


config = GanConfig(workdir="runs/own_networks", networks=ResidualNetworks(), steps=2000)

if __name__ == "__main__":
    cli.main(config, __doc__)
