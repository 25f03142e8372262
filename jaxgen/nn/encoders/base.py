"""What an encoder of photographs is to the rest of jaxgen.

N photographs, S their side, H W height and width, G side of the grid, F width of the vector, C of
the grid, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn import ops
from jaxgen.nn.layers import BatchNorm
from jaxgen.nn.precision import exact, rounded

Array = jax.Array
PyTree = Any
Resampling = Literal["bilinear", "bicubic"]

he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class Encoded(NamedTuple):
    """What an encoder sees in photographs, float32 in any precision."""

    vector_NF: Array
    """Of each photograph as a whole."""
    grid_NHWC: Array
    """Of its regions, in reading order."""
    logits_NK: Array
    """Of the classes that it was trained to tell."""


@dataclass(frozen=True)
class Encoder:
    """An encoder: its network, and how pixels are prepared for it.

    To add one, add a file here with a Flax module whose submodules are called as in the files of
    its weights, and an entry in `known`.
    """

    name: str
    """As `--encoder` takes it."""
    module: nn.Module
    """`(image_NHWC, train=False) -> Encoded` of normalised pixels, float32."""
    mean: tuple[float, float, float]
    """Of a channel's pixels in [0, 255]."""
    deviation: tuple[float, float, float]
    """What the difference from the mean is divided by."""
    resampling: Resampling
    """How photographs are scaled."""
    size: int = 224
    """Side of the square that it was trained on."""
    least: int = 32
    """The smallest side that it takes."""
    stored: Callable[[str, np.ndarray], np.ndarray] = lambda name, array: array
    """An array of a file of weights as `arranged` takes it, where the two differ."""

    def encoded(self, variables: PyTree, image_NHWC: Array) -> Encoded:
        """What it sees in photographs, uint8 (N, S, S, 3), `prepared` ones."""
        mean, deviation = (jnp.float32(part) for part in (self.mean, self.deviation))
        x_NHWC = image_NHWC.astype(jnp.float32) - mean[None, None, None]
        return self.module.apply(variables, x_NHWC / deviation[None, None, None])  # type: ignore

    def shapes(self, size: int = 0) -> tuple[PyTree, Encoded]:
        """Shapes of its variables, and of what it sees in a photograph.

        Args:
            size: S; its own by default.

        Returns:
            Pytrees of `jax.ShapeDtypeStruct`.
        """
        side = size or self.size
        image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
        encoded, variables = jax.eval_shape(self.module.init_with_output, jax.random.key(0), image)
        return variables, encoded


_LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}


def stored_name(path: tuple[str, ...]) -> str:
    """What files of PyTorch's weights call a variable.

    Args:
        path: of the variable in Flax: collection, modules, leaf.
    """
    *modules, leaf = (part for part in path[1:] if part != "BatchNorm_0")
    return ".".join([*modules, _LEAVES.get(leaf, leaf)])


def stored_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a variable in files of PyTorch's weights: output channels come first."""
    if len(shape) == 4:
        height, width, inside, outside = shape
        return outside, inside, height, width
    return shape[::-1]


def arranged(array: np.ndarray) -> np.ndarray:
    """An array of such a file as Flax has it."""
    if array.ndim == 4:
        return np.ascontiguousarray(array.transpose(2, 3, 1, 0))
    return np.ascontiguousarray(array.T)


def pair(sides: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of a window."""
    return (sides, sides) if isinstance(sides, int) else sides


class Conv(nn.Module):
    """A convolution, `depthwise` with a kernel for each channel, `biased` or not."""

    features: int
    window: int | tuple[int, int]
    """Its height and width, one number where they are equal."""
    stride: int = 1
    padding: Any = "SAME"
    depthwise: bool = False
    biased: bool = False

    @nn.compact
    def __call__(self, x_NHWC: Array) -> Array:
        inside = 1 if self.depthwise else x_NHWC.shape[-1]
        height, width = pair(self.window)
        shape = (height, width, inside, self.features)
        kernel = self.param("kernel", he_normal, shape, jnp.float32)
        if height == width == 1:
            # As a product: on CPU 1.1 to 3 times as fast as a convolution.
            x_NHWC = x_NHWC[:, :: self.stride, :: self.stride]
            x_NHWC = rounded(ops.matmul(x_NHWC, kernel[0, 0]))
        else:
            convolve = ops.depthwise_conv if self.depthwise else ops.conv
            x_NHWC = convolve(x_NHWC, kernel, self.stride, self.padding)
        if not self.biased:
            return x_NHWC
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        return rounded(exact(x_NHWC) + bias[None, None, None])


def norm(name: str, epsilon: float = 1e-5, momentum: float = 0.1) -> BatchNorm:
    """Batch norm whose variables files call `name`."""
    return BatchNorm(epsilon, momentum, name=name)


def dense(features: int, name: str) -> nn.Dense:
    """A dense layer whose variables files call `name`."""
    return nn.Dense(features, dot_general=ops.dot_general, name=name)


def pooled(x_NHWC: Array) -> Array:
    """The mean over height and width, float32."""
    return exact(x_NHWC).mean((1, 2))
