"""The residual networks of SNGAN, with conditional batch norm and projection as BigGAN has them.

N batch, Z noise, H height and W width, C channels, K classes.
References: Miyato et al. 2018, https://arxiv.org/abs/1802.05957 (spectral norm; appendix B.4 for
the blocks); Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637 (projection, conditional batch
norm); Brock et al. 2019, https://arxiv.org/abs/1809.11096.
"""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.gan.networks.base import Networks
from jaxgen.gan.networks.stages import sides, widths
from jaxgen.nn import ops
from jaxgen.nn.layers import BatchNorm, Conv, Dense, label_embedding, xavier_uniform
from jaxgen.nn.precision import exact, rounded
from jaxgen.settings import named, setting

Array = jax.Array

_in_block = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")
"""Of 3x3 kernels: Xavier-uniform times the square root of 2, for the ReLU before them."""


def _conv(channels: int, init: nn.initializers.Initializer = _in_block) -> Conv:
    return Conv(channels, window=3, padding=1, kernel_init=init)


def _doubled(x_NHWC: Array) -> Array:
    """Each pixel as 2x2."""
    n, height, width, channels = x_NHWC.shape
    x = jnp.broadcast_to(x_NHWC[:, :, None, :, None], (n, height, 2, width, 2, channels))
    return x.reshape(n, 2 * height, 2 * width, channels)


def _halved(x_NHWC: Array) -> Array:
    """The mean of each 2x2 pixels."""
    n, height, width, channels = x_NHWC.shape
    x = exact(x_NHWC).reshape(n, height // 2, 2, width // 2, 2, channels)
    return x.mean((2, 4)).astype(x_NHWC.dtype)


class ConditionalNorm(nn.Module):
    """Batch norm whose scale and offset a label changes; at first by little, as in BigGAN."""

    @nn.compact
    def __call__(self, x_NHWC: Array, label_NK: Array | None, train: bool) -> Array:
        x_NHWC = BatchNorm()(x_NHWC, train)
        if label_NK is None:
            return x_NHWC

        def of_label(name: str) -> Array:
            shape, init = (label_NK.shape[1], x_NHWC.shape[-1]), nn.initializers.normal(0.02)
            kernel = self.param(name, init, shape, jnp.float32)
            return ops.matmul(label_NK, kernel)[:, None, None]

        return rounded(exact(x_NHWC) * (1 + of_label("scale")) + of_label("offset"))


class UpBlock(nn.Module):
    """Doubles the image: norm, ReLU and 3x3 convolution, twice, beside a 1x1 convolution."""

    channels: int

    @nn.compact
    def __call__(self, x_NHWC: Array, label_NK: Array | None, train: bool) -> Array:
        y = nn.relu(ConditionalNorm()(x_NHWC, label_NK, train))
        y = _conv(self.channels)(_doubled(y))
        y = _conv(self.channels)(nn.relu(ConditionalNorm()(y, label_NK, train)))
        beside = ops.over_rows(Dense(self.channels, xavier_uniform), x_NHWC)
        return rounded(exact(y) + exact(_doubled(beside)))


class Generator(nn.Module):
    """Noise to images through a dense layer and blocks that double them."""

    image_shape: tuple[int, int, int]
    channels: tuple[int, ...]

    @nn.compact
    def __call__(self, noise_NZ: Array, label_NK: Array | None = None, train: bool = True) -> Array:
        stages = sides(self.image_shape)
        first, *others = widths(self.channels, len(stages))
        shape = (*stages[0], first)
        x = Dense(math.prod(shape), xavier_uniform)(noise_NZ).reshape(-1, *shape)
        for channels in others:
            x = UpBlock(channels)(x, label_NK, train)
        x = nn.relu(BatchNorm()(x, train))
        init = xavier_uniform
        x = Conv(self.image_shape[2], window=3, padding=1, kernel_init=init, exact=True)(x)
        return nn.tanh(x)


class DownBlock(nn.Module):
    """Two convolutions beside one of 1x1, each divided by its largest singular value."""

    channels: int
    is_first: bool = False
    """Of the image: nothing is rectified before the first convolution."""
    halves: bool = True

    @nn.compact
    def __call__(self, x_NHWC: Array, train: bool) -> Array:
        def normalized(layer: nn.Module, x: Array) -> Array:
            result: Array = nn.SpectralNorm(layer)(x, update_stats=train)
            return result

        y = x_NHWC if self.is_first else nn.relu(x_NHWC)
        y = normalized(_conv(self.channels), y)
        y = normalized(_conv(self.channels), nn.relu(y))
        # The mean first: it commutes with a 1x1 convolution, and a quarter of the work is left.
        beside = _halved(x_NHWC) if self.halves else x_NHWC
        if beside.shape[-1] != self.channels:
            layer = Dense(self.channels, xavier_uniform)
            beside = ops.over_rows(lambda x_RC: normalized(layer, x_RC), beside)
        return rounded(exact(_halved(y) if self.halves else y) + exact(beside))


class Discriminator(nn.Module):
    """Blocks that halve the image to the smallest stage, then blocks that do not, and a sum."""

    channels: tuple[int, ...]
    last_blocks: int

    @nn.compact
    def __call__(self, x_NHWC: Array, label_NK: Array | None = None, train: bool = False) -> Array:
        stages = sides(x_NHWC.shape[1:])  # type: ignore[arg-type]
        x = x_NHWC
        for index, channels in enumerate(reversed(widths(self.channels, len(stages))[1:])):
            x = DownBlock(channels, is_first=index == 0)(x, train)
        for _ in range(self.last_blocks):
            x = DownBlock(widths(self.channels, len(stages))[0], halves=False)(x, train)
        x_NC = exact(nn.relu(x)).sum((1, 2))
        logit = nn.SpectralNorm(Dense(1, xavier_uniform, exact=True))
        logits_N = logit(x_NC, update_stats=train)[:, 0]
        if label_NK is not None:
            embedding = label_embedding(x_NC.shape[1])
            embedding_NC = nn.SpectralNorm(embedding)(label_NK, update_stats=train)
            logits_N += (exact(embedding_NC) * x_NC).sum(axis=1)
        return logits_N


@named("sngan")
@dataclass(frozen=True)
class SNGAN(Networks):
    """SNGAN's residual networks, for images of 28, 32, 64 or 128 pixels and others that halve.

    The paper's at 32 pixels have 256 and 128 channels in each stage; these are small enough for a
    CPU.
    """

    generator_channels: tuple[int, ...] = setting((64, 32, 16), least=1, most=2**14)
    """Channels of the stages, the last for images of full size; further small ones have the
    first."""
    discriminator_channels: tuple[int, ...] = setting((64, 32, 16), least=1, most=2**14)
    """The same of the discriminator, in the same order."""
    last_blocks: int = setting(1, least=0, most=64)
    """The discriminator's blocks at the smallest size, which do not halve it."""

    def generator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        sides(image_shape)  # to be refused here
        return Generator(image_shape, self.generator_channels)

    def discriminator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        sides(image_shape)
        return Discriminator(self.discriminator_channels, self.last_blocks)
