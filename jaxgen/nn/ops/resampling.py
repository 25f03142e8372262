"""Doubling and halving of images by the filter [1, 3, 3, 1], as sums of shifted images.

The same on every platform: there is nothing to convolve, and gradients are slices and paddings.

Shapes: N batch, H W height and width, C channels.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import exact

Array = jax.Array


def double(x_NHWC: Array) -> Array:
    """Bilinear interpolation to twice the height and width, with zeros around the image.

    What transposed convolution with stride 2 by the outer product of [1, 3, 3, 1] / 4 gives.

    Args:
        x_NHWC: float array.

    Returns:
        (N, 2H, 2W, C) of the same dtype.
    """
    x = exact(x_NHWC)
    for axis in (1, 2):
        near = 0.75 * x
        pair = near + 0.25 * _shifted(x, axis, 1), near + 0.25 * _shifted(x, axis, -1)
        shape = [*x.shape]
        shape[axis] *= 2
        x = jnp.stack(pair, axis + 1).reshape(shape)
    return x.astype(x_NHWC.dtype)


def halve(x_NHWC: Array) -> Array:
    """Half the height and width, each pixel the mean of 4x4 with weights [1, 3, 3, 1] / 8.

    Args:
        x_NHWC: float array of even sides; outside of it is zero.

    Returns:
        (N, H / 2, W / 2, C) of the same dtype.

    Raises:
        JaxgenError: a side is odd.
    """
    if x_NHWC.ndim != 4 or x_NHWC.shape[1] % 2 or x_NHWC.shape[2] % 2:
        raise JaxgenError(f"halve: x of shape {x_NHWC.shape} must be (N, H, W, C) of even sides.")
    x = exact(x_NHWC)
    for axis in (1, 2):
        shape = [*x.shape]
        shape[axis : axis + 1] = shape[axis] // 2, 2
        first, second = (
            lax.squeeze(part, (axis + 1,)) for part in jnp.split(x.reshape(shape), 2, axis + 1)
        )
        outer = _shifted(second, axis, 1) + _shifted(first, axis, -1)
        x = 0.375 * (first + second) + 0.125 * outer
    return x.astype(x_NHWC.dtype)


def _shifted(x: Array, axis: int, by: int) -> Array:
    """The image moved along an axis by one, with zeros where nothing comes from."""
    amounts = [(0, 0, 0)] * x.ndim
    amounts[axis] = (by, -by, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), amounts)
