"""Convolution: formulations fast on CPU, plain `lax` elsewhere.

Shapes: N batch, H W height and width, I O input and output channels.
"""

import operator
from collections.abc import Callable, Iterable
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from jaxgen.nn.ops.arguments import Pads, Pair, check, fitting_pads, pair
from jaxgen.nn.ops.moving import copied
from jaxgen.nn.ops.platforms import by_platform
from jaxgen.nn.ops.product import matmul
from jaxgen.nn.precision import exact, rounds

Array = jax.Array
Stride = int | Pair
Padding = str | int | Pads

LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv(
    x_NHWI: Array, kernel_HWIO: Array, stride: Stride = 1, padding: Padding = "VALID"
) -> Array:
    """Two-dimensional convolution (cross-correlation), as `lax.conv_general_dilated` defines it.

    Args:
        x_NHWI: float array.
        kernel_HWIO: float array of the same dtype.
        stride: int, or one for height and one for width.
        padding: 'VALID', 'SAME', an int for all four sides, or ((top, bottom), (left, right)).

    Returns:
        (N, H', W', O), H' = (H + top + bottom - kernel height) // stride + 1, of the same dtype;
        bfloat16 where that is the precision in use.

    Raises:
        JaxgenError: the shapes, the stride or the padding do not fit together.
    """
    check("conv", x_NHWI, kernel_HWIO)
    return convolved("conv", x_NHWI, kernel_HWIO, stride, padding, conv_cpu)


def convolved(
    name: str,
    x_NHWC: Array,
    kernel_HWIO: Array,
    stride: Stride,
    padding: Padding,
    cpu: Callable[[Array, Array, Pair, Pads], Array],
    groups: int = 1,
) -> Array:
    """A convolution of groups of channels: XLA's own, and on CPU (x, kernel, stride, pads) -> y."""
    stride = pair("stride", stride)
    pads = fitting_pads(name, x_NHWC, kernel_HWIO, stride, padding)

    def plain(x_NHWC: Array, kernel_HWIO: Array) -> Array:
        return lax.conv_general_dilated(
            x_NHWC,
            kernel_HWIO,
            stride,
            pads,
            dimension_numbers=LAYOUT,
            feature_group_count=groups,
        )

    def on_cpu(x_NHWC: Array, kernel_HWIO: Array) -> Array:
        return cpu(x_NHWC, kernel_HWIO, stride, pads)

    return in_form(x_NHWC, kernel_HWIO, on_cpu, plain)


def in_form(
    x: Array,
    kernel: Array,
    cpu: Callable[[Array, Array], Array],
    default: Callable[[Array, Array], Array],
) -> Array:
    """The form for the platform, in the precision in use."""
    if not rounds():
        return by_platform(x, kernel, cpu=cpu, default=default)

    return by_platform(
        x.astype(jnp.bfloat16),
        kernel,
        # Its products round their operands; what is added up of their results, and of gradients,
        # stays float32.
        cpu=lambda x, kernel: cpu(exact(x), kernel).astype(jnp.bfloat16),
        default=lambda x, kernel: default(x, kernel.astype(jnp.bfloat16)),
    )


# From this many input channels on, XLA's own convolution is faster than `conv_matmul`: 1.3 times
# for 8, 1.6 for 32 and 2.3 for 128; for 3 it is 0.4, for 1 0.2.
_DIRECT_CHANNELS = 8


def conv_cpu(x_NHWI: Array, kernel_HWIO: Array, stride: Pair, pads: Pads) -> Array:
    """The form of a convolution that is fast on CPU."""
    if rounds() and stride == (1, 1):
        return _conv_rounded(x_NHWI, kernel_HWIO, pads)
    if rounds() or kernel_HWIO.shape[2] < _DIRECT_CHANNELS or x_NHWI.dtype != jnp.float32:
        return conv_matmul(x_NHWI, kernel_HWIO, stride, pads)
    # XLA has only its naive loop for a kernel larger than the image is before it is padded
    # (64x4x4x256 -> 512, 5x5 stride 2, on one core: 1.7 s for 31 ms).
    sides = zip(kernel_HWIO.shape[:2], x_NHWI.shape[1:3], strict=True)
    if any(window > side for window, side in sides):
        return _conv_windows(x_NHWI, kernel_HWIO, stride, pads)
    return _conv_direct(x_NHWI, kernel_HWIO, stride, pads)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _conv_direct(x_NHWI: Array, kernel_HWIO: Array, stride: Pair, pads: Pads) -> Array:
    """XLA's convolution with the derivatives of a form made of products.

    That is `conv_matmul`, or with strides, where its blocks and bands are twice the arithmetic,
    `_conv_windows`: with both gradients 64x7x7x128 -> 256, 5x5 stride 2, takes 86 ms for 145, and
    14x14x64 -> 128 96 for 159, but 16x16x128 -> 128, 3x3 stride 1, 319 for 333 and second
    derivatives 645 for 443.

    Both the image and the kernel get a column of zeros after each column, over which the stride
    steps. That changes no result and adds no arithmetic, but XLA's newer CPU library does not take
    on such a convolution, and the older one is five times as fast (256x12x12x32 -> 64: 12.5 ms
    against 58). XLA's own gradients are a hundred times slower within a loop, where it does not
    convert their layouts.
    """
    rows, (left, right) = pads
    return lax.conv_general_dilated(
        x_NHWI,
        kernel_HWIO,
        (stride[0], 2 * stride[1]),
        (rows, (2 * left, 2 * right)),
        lhs_dilation=(1, 2),
        rhs_dilation=(1, 2),
        dimension_numbers=LAYOUT,
    )


@partial(_conv_direct.defjvp, symbolic_zeros=True)
def _conv_direct_jvp(
    stride: Pair,
    pads: Pads,
    primals: tuple[Array, Array],
    tangents: tuple[Array | SymbolicZero, Array | SymbolicZero],
) -> tuple[Array, Array]:
    x, kernel = primals
    dx, dkernel = tangents
    form = conv_matmul if stride == (1, 1) else _conv_windows
    products = []
    if not isinstance(dx, SymbolicZero):
        products.append(form(dx, kernel, stride, pads))
    if not isinstance(dkernel, SymbolicZero):
        products.append(form(x, dkernel, stride, pads))
    return _conv_direct(x, kernel, stride, pads), added(products)


def _conv_windows(x_NHWI: Array, kernel_HWIO: Array, stride: Pair, pads: Pads) -> Array:
    """One product of all windows with the kernel: im2col."""
    parts = places_in_windows(padded(x_NHWI, *pads), kernel_HWIO.shape[:2], stride)
    n, rows, columns, _ = parts[0].shape
    features = kernel_HWIO.shape[3]
    windows = jnp.concatenate(parts, axis=-1).reshape(n * rows * columns, -1)
    y = matmul(windows, kernel_HWIO.reshape(-1, features))
    return y.reshape(n, rows, columns, features)


# Below this many columns a matrix product per kernel row runs far under the machine's rate, and
# one product for all rows is faster: for 14x14x64 -> 1, 4x4 stride 2, 12 ms against 28.
FEW_COLUMNS = 64


def conv_matmul(x_NHWI: Array, kernel_HWIO: Array, stride: Pair, pads: Pads) -> Array:
    """A product of windows along the width with each kernel row, summed over the rows.

    Windows of one row copy the image a few times where those of im2col copy it once for each
    element of the kernel: for 256x12x12x32 -> 64, 5x5, forward and backward, 141 ms of CPU time
    against 217 (PyTorch 163).
    """
    x_NHWI, kernel_HWIO = _space_to_depth(x_NHWI, kernel_HWIO, stride, pads)
    n, height, width, channels = x_NHWI.shape
    kernel_height, kernel_width, _, features = kernel_HWIO.shape
    rows, columns = height - kernel_height + 1, width - kernel_width + 1

    # Each window spans `tile` neighbouring outputs: some more arithmetic (at most twice), much less
    # copying. 28x28x1 -> 32: 37 ms against 64 for tile 1.
    # Many channels are enough for a wide product with less of it: 12x12x32 -> 64 is 1.14 times as
    # fast with tile 2 as with 4, 28x28x1 -> 32 is 0.93.
    tile = 4 if (4 + kernel_width - 1) * channels < FEW_COLUMNS else 2
    tile = max(1, min(tile, kernel_width - 1, columns))
    tiles = -(-columns // tile)
    x_NHWI = padded(x_NHWI, (0, 0), (0, tiles * tile - columns))
    span = tile + kernel_width - 1
    if tiles <= span:
        pieces = [x_NHWI[:, :, t * tile : t * tile + span] for t in range(tiles)]
        windows = jnp.stack([p.reshape(n, height, -1) for p in pieces], axis=2)
    else:
        last = (tiles - 1) * tile + 1
        pieces = [x_NHWI[:, :, j : j + last : tile] for j in range(span)]
        windows = jnp.concatenate(pieces, axis=-1)
    band = _band(kernel_HWIO, tile).reshape(kernel_height, span * channels, tile * features)

    row_windows = [
        windows[:, r : r + rows].reshape(n * rows * tiles, -1) for r in range(kernel_height)
    ]
    if span * channels < FEW_COLUMNS:
        y = matmul(jnp.concatenate(row_windows, axis=1), band.reshape(-1, tile * features))
    else:
        y = added(matmul(window, band[r]) for r, window in enumerate(row_windows))
    return y.reshape(n, rows, tiles * tile, features)[:, :, :columns]


# Below this many input channels a window of 16 pixels is still narrow.
_FEW_CHANNELS = 8


def _conv_rounded(x_NHWI: Array, kernel_HWIO: Array, pads: Pads) -> Array:
    """One product of windows over `tile` neighbouring outputs with the kernel as a band matrix.

    The windows are copied in bfloat16, in which they are multiplied; only their gradient, which
    adds up where they overlap, is float32. In a loop, with both gradients, 256x12x12x32 -> 64, 5x5,
    takes 23 ms where `conv_matmul` takes 30, and 256x28x28x1 -> 32 14 for 16.
    """
    n, height, width, channels = x_NHWI.shape
    kernel_height, kernel_width, _, features = kernel_HWIO.shape
    (top, bottom), (left, right) = pads
    rows = height + top + bottom - kernel_height + 1
    columns = width + left + right - kernel_width + 1
    # Wide enough for the processor's products: 256 columns, or 16 pixels of few channels.
    tile = 17 - kernel_width if channels < _FEW_CHANNELS else 256 // features
    tiles = -(-columns // max(1, tile))
    tile = -(-columns // tiles)

    def windows(x_NHWI: Array) -> Array:
        x_NHWI = padded(x_NHWI, (top, bottom), (left, right + tiles * tile - columns))
        span = tile + kernel_width - 1
        return jnp.stack(
            [
                jnp.stack([x_NHWI[:, r : r + rows, t : t + span] for r in range(kernel_height)], 2)
                for t in range(0, tiles * tile, tile)
            ],
            axis=2,
        )

    band = _band(kernel_HWIO, tile).reshape(-1, tile * features)
    y = matmul(copied(windows, x_NHWI).reshape(-1, band.shape[0]), band)
    return y.reshape(n, rows, tiles * tile, features)[:, :, :columns]


def _band(kernel_HWIO: Array, tile: int) -> Array:
    """The kernel at `tile` places beside each other: (H, W + tile - 1, I, tile, O)."""
    shifted = [
        jnp.pad(kernel_HWIO, ((0, 0), (j, tile - 1 - j), (0, 0), (0, 0))) for j in range(tile)
    ]
    return jnp.stack(shifted, axis=3)


def _space_to_depth(
    x_NHWI: Array, kernel_HWIO: Array, stride: Pair, pads: Pads
) -> tuple[Array, Array]:
    """Pads `x` and turns stride x stride blocks into channels, so that the stride becomes 1."""
    (top, bottom), (left, right) = pads
    if stride == (1, 1):
        return padded(x_NHWI, (top, bottom), (left, right)), kernel_HWIO
    n, height, width, channels = x_NHWI.shape
    kernel_height, kernel_width, _, features = kernel_HWIO.shape
    s, t = stride
    blocks_h, blocks_w = -(-kernel_height // s), -(-kernel_width // t)
    rows = (height + top + bottom - kernel_height) // s + blocks_h
    columns = (width + left + right - kernel_width) // t + blocks_w
    x_NHWI = padded(x_NHWI, (top, rows * s - height - top), (left, columns * t - width - left))
    x_NHWI = x_NHWI.reshape(n, rows, s, columns, t, channels).transpose(0, 1, 3, 2, 4, 5)
    kernel = pad_kernel(kernel_HWIO, blocks_h * s, blocks_w * t)
    kernel = kernel.reshape(blocks_h, s, blocks_w, t, channels, features).transpose(
        0, 2, 1, 3, 4, 5
    )
    return (
        x_NHWI.reshape(n, rows, columns, s * t * channels),
        kernel.reshape(blocks_h, blocks_w, s * t * channels, features),
    )


def places_in_windows(x_NHWC: Array, window: tuple[int, ...], stride: Pair) -> list[Array]:
    """For each place in a window, row by row, the elements at that place in all windows."""
    n, height, width, channels = x_NHWC.shape
    (rows, columns), (s, t) = window, stride
    last_h = (height - rows) // s * s + 1
    last_w = (width - columns) // t * t + 1
    return [
        lax.slice(x_NHWC, (0, i, j, 0), (n, i + last_h, j + last_w, channels), (1, s, t, 1))
        for i in range(rows)
        for j in range(columns)
    ]


def padded(x_NHWC: Array, height: Pair, width: Pair) -> Array:
    """Pads with zeros; a negative amount cuts off."""
    zero = jnp.zeros((), x_NHWC.dtype)
    return lax.pad(x_NHWC, zero, ((0, 0, 0), (*height, 0), (*width, 0), (0, 0, 0)))


def pad_kernel(kernel_HWIO: Array, height: int, width: int) -> Array:
    """A kernel of this height and width, with zeros below and on the right."""
    h, w = kernel_HWIO.shape[:2]
    return jnp.pad(kernel_HWIO, ((0, height - h), (0, width - w), (0, 0), (0, 0)))


def added(arrays: Iterable[Array]) -> Array:
    """The sum, without the 0 that `sum` starts from: one pass less over the first array."""
    return reduce(operator.add, arrays)
