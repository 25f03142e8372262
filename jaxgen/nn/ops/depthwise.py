"""Depthwise convolution: each channel with a kernel of its own.

Shapes: N batch, H W height and width, C channels.
"""

import jax

from jaxgen.errors import JaxgenError
from jaxgen.nn.ops.arguments import Pads, Pair
from jaxgen.nn.ops.convolution import (
    Padding,
    Stride,
    added,
    convolved,
    padded,
    places_in_windows,
)

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
    parts = places_in_windows(padded(x_NHWC, *pads), kernel_HW1C.shape[:2], stride)
    elements = kernel_HW1C.reshape(len(parts), -1)
    return added(
        part * element[None, None, None] for part, element in zip(parts, elements, strict=True)
    )
