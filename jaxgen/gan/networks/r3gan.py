"""The residual networks of R3GAN: no normalisation, grouped convolutions, bilinear resampling.

N batch, Z noise, H height and W width, C channels, K classes, E embedding.
Reference: Huang et al. 2024, https://arxiv.org/abs/2501.05441, section 4 and appendix; what they do
not say is as their code has it. A block is 1x1, 3x3 in groups, 1x1, wider inside than what it is
added to. Kernels are normal with the gain of the leaky ReLU, in the L blocks times L^(-1/4), and
zero in the last of each block (Zhang et al. 2019, https://arxiv.org/abs/1901.09321).
"""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.base import Networks
from jaxgen.gan.networks.stages import sides, widths
from jaxgen.nn import ops
from jaxgen.nn.precision import exact, rounded
from jaxgen.settings import flag, named, setting

Array = jax.Array

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""What keeps the size of numbers through a leaky ReLU."""


def _normal(gain: float, fan_in: int) -> nn.initializers.Initializer:
    return nn.initializers.normal(gain / math.sqrt(fan_in)) if gain else nn.initializers.zeros


class Linear(nn.Module):
    """The last axis times a matrix, as 1x1 convolutions are, without a bias."""

    features: int
    gain: float = 1.0
    exact: bool = False
    """Hand the result on in float32 in any precision."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = x.shape[-1], self.features
        kernel = self.param("kernel", _normal(self.gain, shape[0]), shape, jnp.float32)
        y = ops.matmul(x, kernel)
        return y if self.exact else rounded(y)


class GroupedConv(nn.Module):
    """A 3x3 convolution of groups of channels, which keeps their number and the image's size."""

    group: int
    """Channels of each group."""
    gain: float

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        channels = x_NHWC.shape[-1]
        shape = 3, 3, self.group, channels
        kernel = self.param("kernel", _normal(self.gain, 9 * self.group), shape, jnp.float32)
        return rounded(ops.grouped_conv(x_NHWC, kernel, channels // self.group, padding=1))


class Activation(nn.Module):
    """A bias, then the leaky ReLU."""

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        shape = x_NHWC.shape[-1:]
        bias = self.param("bias", nn.initializers.zeros, shape, jnp.float32)[None, None, None]
        return rounded(nn.leaky_relu(exact(x_NHWC) + bias, SLOPE))


class Block(nn.Module):
    """x plus a bottleneck turned inside out; x itself before the first step."""

    expansion: int
    group: int
    gain: float

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        channels = x_NHWC.shape[-1]
        y = Activation()(Linear(channels * self.expansion, self.gain)(x_NHWC))
        y = Activation()(GroupedConv(self.group, self.gain)(y))
        return rounded(exact(x_NHWC) + exact(Linear(channels, 0.0, exact=True)(y)))


@dataclass(frozen=True)
class Blocks:
    """The numbers of all blocks of a network."""

    each: int
    """Blocks of a stage."""
    expansion: int
    group: int

    def of(self, stages: int) -> list[Block]:
        """A stage's blocks, in a network of so many stages."""
        gain = GAIN * (stages * self.each) ** -0.25
        return [Block(self.expansion, self.group, gain) for _ in range(self.each)]


class Generator(nn.Module):
    """Noise weighs learnt images of the smallest size; blocks and doubling follow in turn."""

    image_shape: tuple[int, int, int]
    channels: tuple[int, ...]
    blocks: Blocks
    bounded: bool

    @nn.compact
    def __call__(self, noise_NZ: Array, label_NK: Array | None = None, train: bool = True) -> Array:
        stages = sides(self.image_shape)
        first, *others = widths(self.channels, len(stages))
        if label_NK is not None:
            embedding_NZ = Linear(noise_NZ.shape[1], exact=True, name="embedding")(label_NK)
            noise_NZ = jnp.concatenate([noise_NZ, embedding_NZ], axis=1)
        shape = *stages[0], first
        basis_HWC = self.param("basis", nn.initializers.normal(1.0), shape, jnp.float32)
        weight_NC = Linear(first, exact=True, name="start")(noise_NZ)
        x = rounded(basis_HWC[None] * weight_NC[:, None, None])
        for block in self.blocks.of(len(stages)):
            x = block(x)
        for channels in others:
            # The matrix first: doubling is linear and the same for each channel.
            if channels != x.shape[-1]:
                x = Linear(channels)(x)
            x = ops.double(x)
            for block in self.blocks.of(len(stages)):
                x = block(x)
        x = Linear(self.image_shape[2], exact=True, name="image")(x)
        if self.bounded:
            return nn.tanh(x)
        return x if train else jnp.clip(x, -1, 1)


class Discriminator(nn.Module):
    """Blocks and halving in turn; each channel of the last has learnt weights of its places."""

    channels: tuple[int, ...]
    blocks: Blocks

    @nn.compact
    def __call__(self, x_NHWC: Array, label_NK: Array | None = None, train: bool = False) -> Array:
        stages = sides(x_NHWC.shape[1:])  # type: ignore[arg-type]
        first, *others = reversed(widths(self.channels, len(stages)))
        x = Linear(first, name="image")(x_NHWC)
        for channels in others:
            for block in self.blocks.of(len(stages)):
                x = block(x)
            x = ops.halve(x)
            if channels != x.shape[-1]:
                x = Linear(channels)(x)
        for block in self.blocks.of(len(stages)):
            x = block(x)
        shape = x.shape[1:]
        fan_in = shape[0] * shape[1]
        basis_HWC = self.param("basis", _normal(1.0, fan_in), shape, jnp.float32)
        x_NC = (exact(x) * basis_HWC[None]).sum((1, 2))
        if label_NK is None:
            return Linear(1, exact=True, name="logit")(x_NC)[:, 0]
        width = x_NC.shape[1]
        x_NE = Linear(width, exact=True, name="logit")(x_NC)
        embedding = Linear(width, 1 / math.sqrt(width), exact=True, name="embedding")
        return (x_NE * embedding(label_NK)).sum(axis=1)


@named("r3gan")
@dataclass(frozen=True)
class R3GAN(Networks):
    """R3GAN's networks, for images of 28, 32, 64 or 128 pixels a side and others that halve.

    The paper's at 32 pixels have 768 channels in each stage and two blocks of each; these are small
    enough for a CPU.
    """

    generator_channels: tuple[int, ...] = setting((64, 32, 16), least=1, most=2**14)
    """Channels of the stages, the last for images of full size; further small ones have the
    first."""
    discriminator_channels: tuple[int, ...] = setting((64, 32, 16), least=1, most=2**14)
    """The same of the discriminator, in the same order."""
    blocks: int = setting(1, least=1, most=64)
    """Residual blocks of each stage."""
    expansion: int = setting(2, least=1, most=64)
    """Channels inside a block, as a multiple of those that go on."""
    group: int = setting(16, least=1, most=2**14)
    """Channels that a 3x3 convolution sees together."""
    bounded: bool = True
    """End the generator in tanh; the paper's has nothing there. Without it samples are clipped, and
    the discriminator sees what is not."""

    def check_together(self) -> None:
        """Refuses channels that cannot be divided into groups."""
        for name in ("generator_channels", "discriminator_channels"):
            for channels in getattr(self, name):
                if channels * self.expansion % self.group:
                    raise JaxgenError(
                        f"{flag(f'networks.{name}')} {channels} times {flag('networks.expansion')} "
                        f"{self.expansion} cannot be divided into groups of "
                        f"{flag('networks.group')} {self.group}"
                    )

    def generator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        sides(image_shape)  # to be refused here
        return Generator(image_shape, self.generator_channels, self._blocks, self.bounded)

    def discriminator(self, image_shape: tuple[int, int, int]) -> nn.Module:
        sides(image_shape)
        return Discriminator(self.discriminator_channels, self._blocks)

    @property
    def _blocks(self) -> Blocks:
        return Blocks(self.blocks, self.expansion, self.group)
