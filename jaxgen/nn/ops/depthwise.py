"""Depthwise convolution: each channel with a kernel of its own.

Shapes: N batch, H W height and width, C channels.
"""

from functools import reduce

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.errors import JaxgenError
from jaxgen.nn.ops.arguments import Pads, Pair
from jaxgen.nn.ops.convolution import Padding, Stride, convolved, padded

Array = jax.Array


def depthwise_conv(
    x_NHWC: Array, kernel_HW1C: Array, stride: Stride = 1, padding: Padding = "VALID"
) -> Array:
    """The convolution of `lax.conv_general_dilated` with as many feature groups as channels.

    Args:
        x_NHWC: float array.
        kernel_HW1C: float array of the same dtype.
        stride: int, or one for height and one for width.
        padding: as `conv` takes it.

    Returns:
        (N, H', W', C), as `conv` returns it.

    Raises:
        JaxgenError: the shapes, the stride or the padding do not fit together.
    """
    if x_NHWC.ndim != 4 or kernel_HW1C.ndim != 4 or kernel_HW1C.shape[2:] != (1, x_NHWC.shape[3]):
        raise JaxgenError(
            f"depthwise_conv: x of shape {x_NHWC.shape} and kernel of shape {kernel_HW1C.shape} do "
            "not fit; give (N, H, W, C) and (H, W, 1, C) with the same C."
        )
    channels = x_NHWC.shape[3]
    return convolved("depthwise_conv", x_NHWC, kernel_HW1C, stride, padding, _shifted, channels)


def _shifted(x_NHWC: Array, kernel_HW1C: Array, stride: Pair, pads: Pads) -> Array:
    """The sum of shifted images, each times its element of the kernel."""
    (kernel_height, kernel_width), (s, t) = kernel_HW1C.shape[:2], stride
    x_NHWC = padded(x_NHWC, *pads)
    n, height, width, channels = x_NHWC.shape
    last_h = (height - kernel_height) // s * s + 1
    last_w = (width - kernel_width) // t * t + 1

    def part(i: int, j: int) -> Array:
        shifted = lax.slice(
            x_NHWC, (0, i, j, 0), (n, i + last_h, j + last_w, channels), (1, s, t, 1)
        )
        return shifted * kernel_HW1C[i, j, 0][None, None, None]

    return reduce(jnp.add, [part(i, j) for i in range(kernel_height) for j in range(kernel_width)])
