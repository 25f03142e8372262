"""Layers and initialisers that the GAN networks share."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn import ops

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

    @nn.compact
    def __call__(self, x_NF: Array) -> Array:
        bias_init = bias_uniform(x_NF.shape[-1])
        return nn.Dense(self.features, kernel_init=self.kernel_init, bias_init=bias_init)(x_NF)


class Conv(nn.Module):
    """A square convolution without padding, stride 1, with PyTorch's initial values.

    With `pool` the maximum over each window of that side follows.
    """

    features: int
    window: int
    pool: int = 1

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        channels = x_NHWC.shape[-1]
        shape = (self.window, self.window, channels, self.features)
        kernel = self.param("kernel", fan_in_uniform, shape)
        bias = self.param("bias", bias_uniform(self.window**2 * channels), (self.features,))
        x_NHWC = ops.conv(x_NHWC, kernel)
        if self.pool > 1:
            # Before the bias: the same numbers, but a smaller array for it and for its gradient.
            x_NHWC = ops.max_pool(x_NHWC, self.pool, self.pool)
        return x_NHWC + bias[None, None, None, :]


class ConvTranspose(nn.Module):
    """A square transposed convolution, stride 2, padded so that height and width double."""

    features: int
    window: int = 4

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        channels = x_NHWC.shape[-1]
        shape = (self.window, self.window, channels, self.features)
        kernel = self.param("kernel", xavier_uniform, shape)
        # PyTorch takes the fan in of a transposed convolution from its output channels.
        bias = self.param("bias", bias_uniform(self.window**2 * self.features), (self.features,))
        return ops.conv_transpose(x_NHWC, kernel, stride=2, padding="SAME") + bias[None, None, None]


class BatchNorm(nn.Module):
    """Batch norm over all axes but the last, with PyTorch's momentum 0.1 and epsilon 1e-5."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5)(x)
