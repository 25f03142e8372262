"""Layers and initialisers that the GAN networks share."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn import ops
from jaxgen.nn.precision import exact, rounded

Array = jax.Array
Initializer = nn.initializers.Initializer

xavier_uniform = nn.initializers.xavier_uniform()

fan_in_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Uniform within ±1/sqrt(fan in): what PyTorch gives dense and convolution kernels by default."""


def bias_uniform(fan_in: int) -> Initializer:
    """Uniform within ±1/sqrt(fan in): what PyTorch gives biases by default."""

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -1.0, 1.0) / jnp.sqrt(fan_in).astype(dtype)

    return init


class Dense(nn.Module):
    """`x @ kernel + bias`, with PyTorch's initial bias."""

    features: int
    kernel_init: Initializer = fan_in_uniform
    exact: bool = False
    """Hand the result on in float32 in any precision, as logits and images are."""

    @nn.compact
    def __call__(self, x_NF: Array) -> Array:
        bias_init = bias_uniform(x_NF.shape[-1])
        dense = nn.Dense(
            self.features,
            kernel_init=self.kernel_init,
            bias_init=bias_init,
            dot_general=ops.dot_general,
        )
        return dense(x_NF) if self.exact else rounded(dense(x_NF))


def label_embedding(features: int) -> nn.Dense:
    """Labels (N, K) to vectors, whose product with an image's features a discriminator adds."""
    return nn.Dense(
        features, use_bias=False, kernel_init=xavier_uniform, dot_general=ops.dot_general
    )


class Conv(nn.Module):
    """A square convolution, stride 1, by default without padding, with PyTorch's initial values.

    With `pool` the maximum over each window of that side follows.
    """

    features: int
    window: int
    pool: int = 1
    padding: int = 0
    """Zeros on each side."""
    kernel_init: Initializer = fan_in_uniform
    exact: bool = False
    """Hand the result on in float32 in any precision, as images are."""

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        channels = x_NHWC.shape[-1]
        shape = (self.window, self.window, channels, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        bias_init = bias_uniform(self.window**2 * channels)
        bias = self.param("bias", bias_init, (self.features,), jnp.float32)
        x_NHWC = ops.conv(x_NHWC, kernel, padding=self.padding)
        if self.pool > 1:
            # Before the bias: the same numbers, but a smaller array for it and for its gradient.
            x_NHWC = ops.max_pool(x_NHWC, self.pool, self.pool)
        x_NHWC = exact(x_NHWC) + bias[None, None, None, :]
        return x_NHWC if self.exact else rounded(x_NHWC)


class ConvTranspose(nn.Module):
    """A square transposed convolution, stride 2, padded so that height and width double."""

    features: int
    window: int = 4
    exact: bool = False
    """Hand the result on in float32 in any precision, as images are."""

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        channels = x_NHWC.shape[-1]
        shape = (self.window, self.window, channels, self.features)
        kernel = self.param("kernel", xavier_uniform, shape, jnp.float32)
        # PyTorch takes the fan in of a transposed convolution from its output channels.
        bias_init = bias_uniform(self.window**2 * self.features)
        bias = self.param("bias", bias_init, (self.features,), jnp.float32)
        x_NHWC = ops.conv_transpose(x_NHWC, kernel, stride=2, padding="SAME")
        x_NHWC = exact(x_NHWC) + bias[None, None, None]
        return x_NHWC if self.exact else rounded(x_NHWC)


class BatchNorm(nn.Module):
    """Batch norm over all axes but the last, as PyTorch's: momentum 0.1, epsilon 1e-5 by default.

    A batch of n values a channel is normalised by its variance with divisor n; the running variance
    takes up the one with divisor n - 1, where Flax's own layer takes the first for both.

    Reference:
        Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithms 1 and 2.
    """

    epsilon: float = 1e-5
    momentum: float = 0.1

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        # As checkpoints call it.
        normalize = _Normalization(self.epsilon, self.momentum, name="BatchNorm_0")
        return rounded(normalize(exact(x), train))


class _Normalization(nn.Module):
    """What `BatchNorm` does, with the parameters and statistics of Flax's layer."""

    epsilon: float
    momentum: float

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        channels = x.shape[-1:]
        axes = tuple(range(x.ndim - 1))
        scale = self.param("scale", nn.initializers.ones, channels, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, channels, jnp.float32)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels, jnp.float32)
        running_variance = self.variable("batch_stats", "var", jnp.ones, channels, jnp.float32)
        mean, variance = running_mean.value, running_variance.value
        if train:
            squares = jnp.square(
                x
            )  # before the mean, in Flax's order: so gradients keep their bits
            mean, square = x.mean(axes), squares.mean(axes)
            variance = jnp.maximum(0.0, square - jnp.square(mean))  # rounding may make it negative
            n = x.size // x.shape[-1]
            # A symbol where any number of rows is exported, whose averages nobody keeps.
            if not self.is_initializing() and isinstance(n, int):
                unbiased = variance * (n / max(n - 1, 1))
                for running, new in ((running_mean, mean), (running_variance, unbiased)):
                    kept = (1 - self.momentum) * running.value + self.momentum * new
                    running.value = kept.astype(running.value.dtype)
        mean, variance, scale, bias = (
            jnp.expand_dims(part, axes) for part in (mean, variance, scale, bias)
        )
        return (x - mean) * (jax.lax.rsqrt(variance + self.epsilon) * scale) + bias
