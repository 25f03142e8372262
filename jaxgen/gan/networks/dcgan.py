"""The convolutional networks of the DCGAN notebook, after InfoGAN, appendix C.1.

N batch, Z noise, H height, W width, C channels, K classes.
References: Radford et al. 2016, https://arxiv.org/abs/1511.06434 (DCGAN); Chen et al. 2016,
https://arxiv.org/abs/1606.03657 (InfoGAN), appendix C.1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.base import Networks
from jaxgen.nn.layers import BatchNorm, Conv, ConvTranspose, Dense, label_embedding, xavier_uniform
from jaxgen.settings import named, setting

Array = jax.Array


class Generator(nn.Module):
    """Noise to images: two dense layers, then transposed convolutions that double the size.

    There are two of them, and as many more as the sides can be halved above 8: 28x28 starts from
    7x7, 32x32 and 64x64 from 8x8.
    """

    image_shape: tuple[int, int, int]
    hidden: int
    channels: tuple[int, int]

    @nn.compact
    def __call__(self, noise_NZ: Array, label_NK: Array | None = None, train: bool = True) -> Array:
        height, width, colours = self.image_shape
        x = noise_NZ if label_NK is None else jnp.concatenate([noise_NZ, label_NK], axis=1)
        x = nn.relu(Dense(self.hidden, xavier_uniform)(x))
        x = BatchNorm()(x, train)
        doubled = doublings(height, width)
        first = (height >> doubled, width >> doubled, self.channels[0])
        x = nn.relu(Dense(math.prod(first), xavier_uniform)(x))
        x = BatchNorm()(x, train)
        x = x.reshape(x.shape[0], *first)
        # Without the further doublings, these are the notebook's layers.
        for channels in [self.channels[0]] * (doubled - 2) + [self.channels[1]]:
            x = nn.relu(ConvTranspose(channels)(x))
            x = BatchNorm()(x, train)
        return nn.tanh(ConvTranspose(colours, exact=True)(x))


def doublings(height: int, width: int) -> int:
    """How many transposed convolutions make images of these sides."""
    count = 2
    while min(height, width) >> count > 8 and not (height | width) >> count & 1:
        count += 1
    return count


class Discriminator(nn.Module):
    """Images to logits: two convolutions with max pooling, two dense layers.

    The second convolution is repeated until it leaves less than 12x12, or the dense layers would
    grow with the fourth power of the side: 5x5 are left of 32x32, 4x4 of 28x28 and of 64x64.

    A label adds the inner product of its embedding with the last features (Miyato and Koyama 2018,
    https://arxiv.org/abs/1802.05637, equation 3). With `spectral_norm` every kernel is divided by
    its largest singular value, which one power iteration for each update estimates (Miyato et al.
    2018, https://arxiv.org/abs/1802.05957, algorithm 1).
    """

    channels: tuple[int, int]
    spectral_norm: bool

    @nn.compact
    def __call__(self, x_NHWC: Array, label_NK: Array | None = None, train: bool = False) -> Array:
        def normalized(layer: nn.Module) -> Callable[[Array], Array]:
            if not self.spectral_norm:
                return layer
            return lambda x: nn.SpectralNorm(layer)(x, update_stats=train)

        x = x_NHWC
        depth = 0
        while depth < 2 or min(x.shape[1:3]) >= 12:
            convolution = normalized(Conv(self.channels[min(depth, 1)], window=5, pool=2))
            # Max pooling before the leaky ReLU: they commute, and a quarter of the work is left.
            x = nn.leaky_relu(convolution(x), 0.01)
            depth += 1
        x = x.reshape(x.shape[0], -1)
        x_NF = nn.leaky_relu(normalized(Dense(x.shape[1], xavier_uniform))(x), 0.01)
        logits_N = normalized(Dense(1, xavier_uniform, exact=True))(x_NF)[:, 0]
        if label_NK is not None:
            embedding = label_embedding(x_NF.shape[1])
            logits_N += (normalized(embedding)(label_NK) * x_NF).sum(axis=1)
        return logits_N


@named("dcgan", "jaxgen.models.dcgan:DCGAN")
@dataclass(frozen=True)
class DCGAN(Networks):
    """The networks of the DCGAN notebook at 28x28; other sides are multiples of 4, from 16 on."""

    hidden: int = setting(1024, least=1, most=2**16)
    """Width of the generator's first dense layer."""
    generator_channels: tuple[int, int] = setting((128, 64), least=1, most=2**16)
    """Channels up to a quarter, and at half, of the image size."""
    discriminator_channels: tuple[int, int] = setting((32, 64), least=1, most=2**16)
    """Channels of the first convolution, and of the others."""
    spectral_norm: bool = False
    """Divide the discriminator's kernels by their largest singular value."""

    def generator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        if any(side % 4 or side < 16 for side in image_shape[:2]):
            raise JaxgenError(
                f"DCGAN makes images whose sides are multiples of 4 from 16 on, not "
                f"{image_shape[:2]}"
            )
        return Generator(image_shape, self.hidden, self.generator_channels)

    def discriminator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        return Discriminator(self.discriminator_channels, self.spectral_norm)
