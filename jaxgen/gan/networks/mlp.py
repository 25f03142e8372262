"""The fully connected networks of the GAN notebooks.

N batch, Z noise, H height, W width, C channels, K classes, F features.
References: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; Mirza and Osindero 2014,
https://arxiv.org/abs/1411.1784 (conditional).
"""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.base import Networks
from jaxgen.nn.layers import BatchNorm, Dense
from jaxgen.settings import flag, named, setting

Array = jax.Array


def _joined(x_NF: Array, label_NK: Array | None) -> Array:
    return x_NF if label_NK is None else jnp.concatenate([x_NF, label_NK], axis=1)


class Generator(nn.Module):
    """Noise, and the label's one-hot vector if there is one, to images through dense layers."""

    image_shape: tuple[int, int, int]
    hidden: tuple[int, ...]
    normalized: tuple[int, ...]
    slope: float

    @nn.compact
    def __call__(self, noise_NZ: Array, label_NK: Array | None = None, train: bool = True) -> Array:
        x_NF = _joined(noise_NZ, label_NK)
        for index, width in enumerate(self.hidden):
            x_NF = Dense(width)(x_NF)
            if index in self.normalized:
                x_NF = BatchNorm()(x_NF, train)
            x_NF = nn.leaky_relu(x_NF, self.slope)
        x_NF = nn.tanh(Dense(math.prod(self.image_shape), exact=True)(x_NF))
        return x_NF.reshape(-1, *self.image_shape)


class Discriminator(nn.Module):
    """Images, and the label's one-hot vector if there is one, to logits through dense layers."""

    hidden: tuple[int, ...]
    slope: float

    @nn.compact
    def __call__(
        self, images_NHWC: Array, label_NK: Array | None = None, train: bool = False
    ) -> Array:
        x_NF = _joined(images_NHWC.reshape(images_NHWC.shape[0], -1), label_NK)
        for width in self.hidden:
            x_NF = nn.leaky_relu(Dense(width)(x_NF), self.slope)
        return Dense(1, exact=True)(x_NF)[:, 0]


@named("mlp", "jaxgen.models.mlp:MLP")
@dataclass(frozen=True)
class MLP(Networks):
    """The fully connected networks of the notebooks, with and without batch norm."""

    generator_hidden: tuple[int, ...] = setting((1024, 1024), least=1, most=2**16)
    """Widths of the generator's hidden layers."""
    generator_normalized: tuple[int, ...] = setting((), least=0)
    """Which of them, from 0, have batch norm before the activation."""
    generator_slope: float = 0.0
    """Slope of the generator's leaky ReLU below 0; 0 is a plain ReLU."""
    discriminator_hidden: tuple[int, ...] = setting((256, 256), least=1, most=2**16)
    """Widths of the discriminator's hidden layers."""
    discriminator_slope: float = 0.01
    """Slope of the discriminator's leaky ReLU below 0."""

    def check_together(self) -> None:
        """Refuses batch norm in a layer that is not there."""
        if max(self.generator_normalized, default=-1) >= len(self.generator_hidden):
            raise JaxgenError(
                f"{flag('networks.generator_normalized')} {max(self.generator_normalized)} is no "
                f"layer: they are counted from 0, and there are {len(self.generator_hidden)}"
            )

    def generator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        return Generator(
            image_shape, self.generator_hidden, self.generator_normalized, self.generator_slope
        )

    def discriminator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        return Discriminator(self.discriminator_hidden, self.discriminator_slope)
