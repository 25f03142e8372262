"""Max pooling as the maximum of shifted slices."""

from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.errors import JaxgenError
from jaxgen.nn.ops.convolution import places_in_windows
from jaxgen.nn.precision import exact

Array = jax.Array


def max_pool(x_NHWC: Array, window: int = 2, stride: int = 2) -> Array:
    """Maximum over square windows, without padding; rows and columns left over are dropped.

    A NaN in a window makes its output NaN. Elements that tie for the maximum share the gradient
    equally, while `lax.reduce_window` and PyTorch give all of it to one: the same on every
    platform, and it can be differentiated again.

    Args:
        x_NHWC: float array.
        window, stride: positive ints.

    Returns:
        (N, (H - window) // stride + 1, (W - window) // stride + 1, C) of the same dtype.

    Raises:
        JaxgenError: the window does not fit into the image.
    """
    if x_NHWC.ndim != 4 or min(window, stride) < 1 or min(x_NHWC.shape[1:3]) < window:
        raise JaxgenError(
            f"max_pool: window {window} with stride {stride} does not fit x of shape "
            f"{x_NHWC.shape}; give (N, H, W, C) with H and W no smaller than the window."
        )
    return _max_pool(x_NHWC, window, stride)


def _slices(x_NHWC: Array, window: int, stride: int) -> list[Array]:
    return places_in_windows(x_NHWC, (window, window), (stride, stride))


# The gradient of `reduce_window` is 13 times slower on CPU (128x24x24x32: 33 ms against 2.5).
@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _max_pool(x_NHWC: Array, window: int, stride: int) -> Array:
    return reduce(jnp.maximum, _slices(x_NHWC, window, stride))


@_max_pool.defjvp
def _max_pool_jvp(
    window: int, stride: int, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (x_NHWC,), (dx_NHWC,) = primals, tangents
    y_NHWC = _max_pool(x_NHWC, window, stride)
    largest = [part == y_NHWC for part in _slices(x_NHWC, window, stride)]
    # bfloat16 has no third, and is converted for each operation.
    dtype = exact(y_NHWC).dtype
    share_NHWC = 1 / reduce(jnp.add, [is_it.astype(dtype) for is_it in largest])
    pieces = _pieces if stride == window else _slices
    parts = zip(largest, pieces(dx_NHWC, window, stride), strict=True)
    total_NHWC = reduce(jnp.add, [jnp.where(m, dx, 0) for m, dx in parts])
    return y_NHWC, (share_NHWC * total_NHWC).astype(y_NHWC.dtype)


def _pieces(x_NHWC: Array, window: int, stride: int) -> list[Array]:
    """`_slices` of windows that do not overlap, in a form whose gradient joins the pieces.

    The gradient of slices pads each to the whole image and adds them up: 17 ms against 2
    (128x24x24x32).
    """
    n, height, width, channels = x_NHWC.shape
    rows, columns = height // window, width // window
    tiles = x_NHWC[:, : rows * window, : columns * window]
    tiles = tiles.reshape(n, rows, window, columns, window, channels)
    return [
        piece.reshape(n, rows, columns, channels)
        for row in lax.split(tiles, (1,) * window, axis=2)
        for piece in lax.split(row, (1,) * window, axis=4)
    ]
