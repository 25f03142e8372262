"""Grouped convolution: channels in groups that do not see each other.

Shapes: N batch, H W height and width, I channels of a group, O output channels of all groups.
"""

from functools import partial

import jax
import jax.numpy as jnp

from jaxgen.errors import JaxgenError
from jaxgen.nn.ops.arguments import Pads, Pair
from jaxgen.nn.ops.convolution import Padding, Stride, conv_cpu, convolved

Array = jax.Array

_BLOCK = 32
"""Channels of a block of groups that CPUs convolve together, as if its groups saw each other.

Smaller ones run far under the machine's rate, larger ones multiply more zeros. 64 images of 14x14,
128 channels in groups of 16, forward and backward in a loop, on 2 cores beside other work: 100 ms
in blocks of 32, 167 of 64, 204 of all; 95 as sums of shifted products of groups, whose forward pass
takes three times as long (63 ms against 22); 2,319 as XLA's own. 7x7 with 256 channels: 53, 68,
194, 59 and 557.
"""


def grouped_conv(
    x_NHWC: Array,
    kernel_HWIO: Array,
    groups: int,
    stride: Stride = 1,
    padding: Padding = "VALID",
) -> Array:
    """The convolution of `lax.conv_general_dilated` with `feature_group_count=groups`.

    Args:
        x_NHWC: float array, C = groups · I.
        kernel_HWIO: float array of the same dtype; each group makes O / groups of the outputs.
        groups: how many.
        stride: int, or one for height and one for width.
        padding: as `conv` takes it.

    Returns:
        (N, H', W', O), as `conv` returns it.

    Raises:
        JaxgenError: the shapes, the groups, the stride or the padding do not fit together.
    """
    is_fitting = x_NHWC.ndim == kernel_HWIO.ndim == 4 and groups > 0
    if (
        not is_fitting
        or x_NHWC.shape[3] != groups * kernel_HWIO.shape[2]
        or kernel_HWIO.shape[3] % groups
    ):
        raise JaxgenError(
            f"grouped_conv: x of shape {x_NHWC.shape} and kernel of shape {kernel_HWIO.shape} do "
            f"not fit {groups} groups; give (N, H, W, groups * I) and (H, W, I, a multiple of "
            "groups)."
        )
    on_cpu = partial(_in_blocks, groups)
    return convolved("grouped_conv", x_NHWC, kernel_HWIO, stride, padding, on_cpu, groups)


def _in_blocks(groups: int, x_NHWC: Array, kernel_HWIO: Array, stride: Pair, pads: Pads) -> Array:
    """Convolutions of blocks of groups, each with a kernel that has zeros between the groups."""
    inside = kernel_HWIO.shape[2]
    outside = kernel_HWIO.shape[3] // groups
    together = max(n for n in range(1, groups + 1) if groups % n == 0 and _fits(n, inside))
    blocks = groups // together
    parts = zip(jnp.split(x_NHWC, blocks, 3), jnp.split(kernel_HWIO, blocks, 3), strict=True)
    return jnp.concatenate(
        [conv_cpu(x, _apart(kernel, together, outside), stride, pads) for x, kernel in parts], 3
    )


def _fits(count: int, channels: int) -> bool:
    return count == 1 or count * channels <= _BLOCK


def _apart(kernel_HWIO: Array, groups: int, outside: int) -> Array:
    """The kernel (H, W, groups · I, O) of one convolution that keeps the groups apart."""
    height, width, inside, _ = kernel_HWIO.shape
    own = kernel_HWIO.reshape(height, width, 1, inside, groups, outside)
    own = jnp.moveaxis(own, 4, 2)  # (H, W, groups, 1, I, O)
    is_own = jnp.eye(groups, dtype=own.dtype)[None, None, :, None, :, None]
    apart = jnp.moveaxis(own, 3, 4) * is_own
    return apart.reshape(height, width, groups * inside, groups * outside)
