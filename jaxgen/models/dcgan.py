"""The convolutional networks of the DCGAN notebook, after InfoGAN, appendix C.1.

N batch, Z noise, H height, W width, C channels, K classes.
References: Radford et al. 2016 (DCGAN); Chen et al. 2016 (InfoGAN), appendix C.1.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp

from jaxgen import ops
from jaxgen.errors import JaxgenError
from jaxgen.models.layers import BatchNorm, Conv, ConvTranspose, Dense, xavier_uniform
from jaxgen.models.networks import Networks


class Generator(nn.Module):
    """Noise to images: two dense layers, then two transposed convolutions that double the size."""

    image_shape: tuple[int, int, int]
    hidden: int
    channels: tuple[int, int]

    @nn.compact
    def __call__(self, noise_NZ, label_NK=None, train: bool = True):
        height, width, colours = self.image_shape
        x = noise_NZ if label_NK is None else jnp.concatenate([noise_NZ, label_NK], axis=1)
        x = nn.relu(Dense(self.hidden, xavier_uniform)(x))
        x = BatchNorm()(x, train)
        x = nn.relu(Dense(height // 4 * (width // 4) * self.channels[0], xavier_uniform)(x))
        x = BatchNorm()(x, train)
        x = x.reshape(x.shape[0], height // 4, width // 4, self.channels[0])
        x = nn.relu(ConvTranspose(self.channels[1])(x))
        x = BatchNorm()(x, train)
        return nn.tanh(ConvTranspose(colours)(x))


class Discriminator(nn.Module):
    """Images to logits: two convolutions with max pooling, two dense layers."""

    channels: tuple[int, int]

    @nn.compact
    def __call__(self, x_NHWC, label_NK=None):
        x = x_NHWC
        for channels in self.channels:
            # Max pooling before the leaky ReLU: they commute, and a quarter of the work is left.
            x = nn.leaky_relu(ops.max_pool(Conv(channels, window=5)(x)), 0.01)
        x = x.reshape(x.shape[0], -1)
        x_NF = nn.leaky_relu(Dense(x.shape[1], xavier_uniform)(x), 0.01)
        logits_N = Dense(1, xavier_uniform)(x_NF)[:, 0]
        return logits_N


@dataclass(frozen=True)
class DCGAN(Networks):
    """The networks of SPEC A3 at 28x28; other sizes that are multiples of 4 scale them."""

    hidden: int = 1024
    """Width of the generator's first dense layer."""
    generator_channels: tuple[int, int] = (128, 64)
    """Channels at a quarter and at half of the image size."""
    discriminator_channels: tuple[int, int] = (32, 64)
    """Channels of the two convolutions."""

    def generator(self, image_shape):
        if image_shape[0] % 4 or image_shape[1] % 4:
            raise JaxgenError(
                f"DCGAN makes images whose sides are multiples of 4, not {image_shape[:2]}"
            )
        return Generator(image_shape, self.hidden, self.generator_channels)

    def discriminator(self, image_shape):
        return Discriminator(self.discriminator_channels)
