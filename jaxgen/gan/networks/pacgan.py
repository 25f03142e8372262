"""The convolutional networks of PacGAN's experiment on Stacked MNIST.

N batch, Z noise, H height, W width, C channels, K classes, I input and O output channels.

Reference: Lin et al. 2018, https://arxiv.org/abs/1712.04086, section 4.2 (PacGAN, the table with
VEEGAN). Layers, widths, kernels and batch norm are those of the authors' code, read there
(github.com/fjxmlzn/PacGAN, stacked_MNIST_experiments/VEEGAN_experiment); the slope of 0.2, initial
values of deviation 0.02 and batch norm's numbers are DCGAN-tensorflow's, which it is built on, from
memory. That code also updates the generator twice a step on the same noise, and gives pixels in
[0, 1] to the discriminator; here a step is jaxgen's and pixels are in [-1, 1]. Labels, which they
have none of, are taken as in `dcgan`.
"""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.base import Networks
from jaxgen.nn import ops
from jaxgen.nn.layers import BatchNorm
from jaxgen.nn.precision import exact, rounded
from jaxgen.settings import flag, named, setting

Array = jax.Array

_WINDOW = 5
_SLOPE = 0.2
_MOST_LAYERS = 8
_initial = nn.initializers.normal(0.02)
_initial_conv = nn.initializers.truncated_normal(0.02)


class Generator(nn.Module):
    """Noise to images: a dense layer, then transposed convolutions that double the size, or less.

    28x28 begins at 2x2 and goes over 4x4, 7x7 and 14x14: what a convolution with stride 2 makes of
    the side after it, rounded up.
    """

    image_shape: tuple[int, int, int]
    channels: tuple[int, ...]

    @nn.compact
    def __call__(self, noise_NZ: Array, label_NK: Array | None = None, train: bool = True) -> Array:
        height, width, colours = self.image_shape
        sides = [(height, width)]
        for _ in self.channels:
            sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
        sides.reverse()
        x = noise_NZ if label_NK is None else jnp.concatenate([noise_NZ, label_NK], axis=1)
        first = (*sides[0], self.channels[0])
        x = rounded(_dense(math.prod(first))(x)).reshape(x.shape[0], *first)
        for side, channels in zip(sides[1:], [*self.channels[1:], colours], strict=True):
            x = nn.relu(BatchNorm()(x, train))
            x = ConvTranspose(channels, side)(x)
        return nn.tanh(x)


class Discriminator(nn.Module):
    """Images to logits: convolutions with stride 2, with batch norm after all but the first.

    A label adds the inner product of its embedding with the last features.
    """

    channels: tuple[int, ...]
    normalized: bool

    @nn.compact
    def __call__(self, x_NHWC: Array, label_NK: Array | None = None, train: bool = False) -> Array:
        x = x_NHWC
        for depth, channels in enumerate(self.channels):
            x = Conv(channels)(x)
            if depth and self.normalized:
                x = BatchNorm()(x, train)
            x = nn.leaky_relu(x, _SLOPE)
        x_NF = exact(x.reshape(x.shape[0], -1))
        logits_N = _dense(1)(x_NF)[:, 0]
        if label_NK is not None:
            logits_N += (_dense(x_NF.shape[1], use_bias=False)(label_NK) * x_NF).sum(axis=1)
        return logits_N


def _dense(features: int, use_bias: bool = True) -> nn.Dense:
    return nn.Dense(features, use_bias=use_bias, kernel_init=_initial, dot_general=ops.dot_general)


class Conv(nn.Module):
    """A convolution with stride 2, padded so that sides are halved and rounded up."""

    features: int

    @nn.compact
    def __call__(self, x_NHWI: Array) -> Array:
        shape = (_WINDOW, _WINDOW, x_NHWI.shape[-1], self.features)
        kernel_HWIO = self.param("kernel", _initial_conv, shape, jnp.float32)
        bias_O = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        x_NHWO = ops.conv(x_NHWI, kernel_HWIO, stride=2, padding="SAME")
        return rounded(exact(x_NHWO) + bias_O[None, None, None])


class ConvTranspose(nn.Module):
    """The transpose of a `Conv` from images of given sides."""

    features: int
    sides: tuple[int, int]

    @nn.compact
    def __call__(self, x_NHWI: Array) -> Array:
        shape = (_WINDOW, _WINDOW, x_NHWI.shape[-1], self.features)
        kernel_HWIO = self.param("kernel", _initial, shape, jnp.float32)
        bias_O = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        rows, columns = (
            _transposed_pads(small, large)
            for small, large in zip(x_NHWI.shape[1:3], self.sides, strict=True)
        )
        x_NHWO = ops.conv_transpose(x_NHWI, kernel_HWIO, stride=2, padding=(rows, columns))
        return exact(x_NHWO) + bias_O[None, None, None]


def _transposed_pads(small: int, large: int) -> tuple[int, int]:
    """Padding of a transposed convolution from one side to another, as TensorFlow chooses it."""
    forward = max(2 * (small - 1) + _WINDOW - large, 0) // 2
    before = _WINDOW - 1 - forward
    return before, large + _WINDOW - 1 - (2 * small - 1) - before


@named("pacgan")
@dataclass(frozen=True)
class PacGAN(Networks):
    """The networks of PacGAN's Stacked MNIST, batch norm in the discriminator too."""

    generator_channels: tuple[int, ...] = setting((512, 256, 128, 64), least=1, most=2**16)
    """Channels from the smallest image on; after each its sides double, or nearly so."""
    discriminator_channels: tuple[int, ...] = setting((64, 128, 256, 512), least=1, most=2**16)
    """Channels of the convolutions, each of which halves the sides."""
    discriminator_normalized: bool = True
    """Batch norm in the discriminator, as theirs; without it no example sees another."""

    @property
    def judges_batches(self) -> bool:
        return self.discriminator_normalized

    def check_together(self) -> None:
        """Refuse networks without a layer."""
        for name in ("generator_channels", "discriminator_channels"):
            layers = len(getattr(self, name))
            if not 1 <= layers <= _MOST_LAYERS:
                raise JaxgenError(
                    f"{flag('networks.' + name)} must be 1 to {_MOST_LAYERS} numbers, got {layers}"
                )

    def generator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        return Generator(image_shape, self.generator_channels)

    def discriminator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        return Discriminator(self.discriminator_channels, self.discriminator_normalized)
