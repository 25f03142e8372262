"""Transposed convolution: formulations fast on CPU, plain `lax` elsewhere.

Shapes: N batch, H W height and width, I O input and output channels.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.errors import JaxgenError
from jaxgen.nn.ops.arguments import Pads, Pair, check, explicit_padding, pair, transpose_pad
from jaxgen.nn.ops.convolution import (
    FEW_COLUMNS,
    LAYOUT,
    Padding,
    Stride,
    added,
    conv_cpu,
    in_form,
    pad_kernel,
    padded,
)
from jaxgen.nn.ops.moving import added_up
from jaxgen.nn.ops.product import matmul
from jaxgen.nn.precision import rounds

Array = jax.Array


def conv_transpose(
    x_NHWI: Array, kernel_HWIO: Array, stride: Stride = 2, padding: Padding = "SAME"
) -> Array:
    """Transposed convolution, as `lax.conv_transpose(..., transpose_kernel=False)` defines it.

    That is a convolution, without a flip of the kernel, of the image with stride - 1 zeros between
    its pixels. PyTorch's `ConvTranspose2d` weight (I, O, H, W) becomes this kernel by
    `weight.transpose(2, 3, 0, 1)[::-1, ::-1]`, its `padding=p` the padding `kernel - 1 - p`.

    Args:
        x_NHWI: float array.
        kernel_HWIO: float array of the same dtype.
        stride: int, or one for height and one for width.
        padding: 'SAME' (the output is stride times as large), 'VALID', or, as in `conv`, an int or
            pairs, which pad the image with zeros already between its pixels.

    Returns:
        (N, H', W', O), as `conv` returns it.

    Raises:
        JaxgenError: the shapes, the stride or the padding do not fit together.
    """
    check("conv_transpose", x_NHWI, kernel_HWIO)
    stride = pair("stride", stride)
    window = kernel_HWIO.shape[:2]
    if isinstance(padding, str) and padding in ("VALID", "SAME"):
        rows, columns = (transpose_pad(k, s, padding) for k, s in zip(window, stride, strict=True))
        pads = rows, columns
    else:
        pads = explicit_padding(padding)
    for size, k, s, pad in zip(x_NHWI.shape[1:3], window, stride, pads, strict=True):
        if (size - 1) * s + 1 + sum(pad) < k:
            raise JaxgenError(
                f"conv_transpose: a {window[0]}x{window[1]} kernel does not fit into an image of "
                f"shape {x_NHWI.shape} with stride {stride} and padding {pads}; pad more."
            )

    def plain(x_NHWI: Array, kernel_HWIO: Array) -> Array:
        return lax.conv_transpose(x_NHWI, kernel_HWIO, stride, pads, dimension_numbers=LAYOUT)

    def on_cpu(x_NHWI: Array, kernel_HWIO: Array) -> Array:
        if stride == (1, 1):
            return conv_cpu(x_NHWI, kernel_HWIO, stride, pads)
        return _conv_transpose_matmul(x_NHWI, kernel_HWIO, stride, pads)

    return in_form(x_NHWI, kernel_HWIO, on_cpu, plain)


def _conv_transpose_matmul(x_NHWI: Array, kernel_HWIO: Array, stride: Pair, pads: Pads) -> Array:
    """A product of the pixels with each kernel row, whose results are added where they overlap.

    No zero is multiplied and the largest intermediate is one kernel row. For 128x7x7x128 -> 64,
    4x4 stride 2, forward and backward, 79 ms of CPU time against 109 for NHWC `lax` convolutions
    in a custom VJP and 202 for one product and strided additions.
    """
    n, height, width, channels = x_NHWI.shape
    kernel_height, kernel_width, _, features = kernel_HWIO.shape
    s, t = stride
    blocks_h, blocks_w = -(-kernel_height // s), -(-kernel_width // t)
    flipped = pad_kernel(kernel_HWIO[::-1, ::-1], blocks_h * s, blocks_w * t)
    by_row = flipped.transpose(2, 0, 1, 3).reshape(channels, blocks_h * s, -1)
    pixels = x_NHWI.reshape(-1, channels)
    # Paddings count from the dilated image; what is added up has kernel - 1 on the low sides.
    (top, bottom), (left, right) = pads
    out_h = (height - 1) * s + 1 + top + bottom - kernel_height + 1
    out_w = (width - 1) * t + 1 + left + right - kernel_width + 1
    low_h, low_w = top - kernel_height + 1, left - kernel_width + 1

    def overlap_width(product: Array) -> Array:
        blocks = product.reshape(n, height, width, blocks_w, t * features)
        return added(
            padded(block[:, :, :, 0], (0, 0), (q, blocks_w - 1 - q))
            for q, block in enumerate(lax.split(blocks, (1,) * blocks_w, axis=3))
        )

    def overlap(products: Sequence[Array]) -> Array:
        rows = [overlap_width(product) for product in products]
        phases = [
            added(padded(rows[q * s + r], (q, blocks_h - 1 - q), (0, 0)) for q in range(blocks_h))
            for r in range(s)
        ]
        full = jnp.stack(phases, axis=2).reshape(
            n, (height + blocks_h - 1) * s, (width + blocks_w - 1) * t, features
        )
        return padded(
            full, (low_h, out_h - low_h - full.shape[1]), (low_w, out_w - low_w - full.shape[2])
        )

    def overlap_split(product: Array) -> Array:
        return overlap(lax.split(product, (1,) * (blocks_h * s), axis=1))

    if rounds() or by_row.shape[2] < FEW_COLUMNS:
        product = matmul(pixels, by_row.reshape(channels, -1)).reshape(-1, *by_row.shape[1:])
        return added_up(overlap_split, product) if rounds() else overlap_split(product)
    return overlap([matmul(pixels, by_row[:, r]) for r in range(blocks_h * s)])
