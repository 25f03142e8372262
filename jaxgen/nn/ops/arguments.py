"""What convolutions are given: shapes, strides and paddings, checked and in one form."""

import operator
from typing import Any

import jax
from jax import lax

from jaxgen.errors import JaxgenError

Array = jax.Array
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]


def check(name: str, x: Array, kernel: Array) -> None:
    """Refuses an image and a kernel that do not fit together."""
    if x.ndim != 4 or kernel.ndim != 4 or x.shape[3] != kernel.shape[2]:
        raise JaxgenError(
            f"{name}: x of shape {x.shape} and kernel of shape {kernel.shape} do not fit; give "
            "(N, H, W, I) and (H, W, I, O) with the same I."
        )


def pair(name: str, value: Any) -> Pair:
    """One number as two; both are positive."""
    try:
        both = (operator.index(value),) * 2
    except TypeError:
        both = tuple(value)
    if len(both) != 2 or min(both) < 1:
        raise JaxgenError(f"{name}={value!r} is not a positive int or a pair of them.")
    return both


def explicit_padding(padding: Any) -> Pads:
    """One number for all sides, or what is given for each."""
    try:
        side = operator.index(padding)
        return (side, side), (side, side)
    except TypeError:
        pass
    if isinstance(padding, str) or [len(pad) for pad in padding] != [2, 2]:
        raise JaxgenError(
            f"padding={padding!r} is not 'VALID', 'SAME', an int or ((top, bottom), (left, right))."
        )
    (top, bottom), (left, right) = padding
    return (top, bottom), (left, right)


def fitting_pads(name: str, x: Array, kernel: Array, stride: Pair, padding: Any) -> Pads:
    """Zeros on each side of an image, with which the kernel's window fits into it."""
    window = kernel.shape[:2]
    if isinstance(padding, str) and padding in ("VALID", "SAME"):
        rows, columns = lax.padtype_to_pads(x.shape[1:3], window, stride, padding)
        pads = rows, columns
    else:
        pads = explicit_padding(padding)
    for size, k, pad in zip(x.shape[1:3], window, pads, strict=True):
        if size + sum(pad) < k:
            raise JaxgenError(
                f"{name}: a {window[0]}x{window[1]} kernel does not fit into an image of shape "
                f"{x.shape} padded by {pads}; pad more or use a smaller kernel."
            )
    return pads


def transpose_pad(kernel: int, stride: int, padding: str) -> Pair:
    """Zeros before and after an axis with stride - 1 zeros between its elements already."""
    if padding == "VALID":
        return kernel - 1, max(kernel, stride) - 1
    total = kernel + stride - 2
    before = kernel - 1 if stride > kernel - 1 else -(-total // 2)
    return before, total - before
