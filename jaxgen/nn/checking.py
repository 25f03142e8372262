"""What the course checks networks with: relative errors, numerical gradients, parameter counts.

All in NumPy and float64, for any function. JAX computes in float64 under `jax.enable_x64(True)`:

    with jax.enable_x64(True):
        numerical = eval_numerical_gradient(loss, kernel)
        assert rel_error(jax.grad(loss)(kernel), numerical) < 1e-6
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgen.errors import JaxgenError


def rel_error(x: Any, y: Any) -> float:
    """The largest |x - y| / max(1e-8, |x| + |y|).

    Args:
        x: numbers.
        y: numbers of the same shape.

    Returns:
        From 0, equal, to 1, of opposite signs or one of them 0.

    Raises:
        JaxgenError: the shapes differ.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape:
        raise JaxgenError(f"arrays of shapes {x.shape} and {y.shape} cannot be compared")
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)), initial=0))


def eval_numerical_gradient(f: Callable[[np.ndarray], Any], x: Any, h: float = 1e-5) -> np.ndarray:
    """The gradient of a function with one result, by central differences.

    Args:
        f: from an array like `x` to a number.
        x: where.
        h: half of the distance between the two points of each difference.

    Returns:
        float64, of the shape of `x`.

    Raises:
        JaxgenError: `f` returns several numbers, or numbers of less than double precision.
    """
    return eval_numerical_gradient_array(f, x, 1.0, h)


def eval_numerical_gradient_array(
    f: Callable[[np.ndarray], Any], x: Any, df: Any, h: float = 1e-5
) -> np.ndarray:
    """The gradient of `sum(f(x) * df)`, by central differences.

    Args:
        f: from an array like `x` to an array like `df`.
        x: where.
        df: the gradient of some loss with respect to `f(x)`.
        h: half of the distance between the two points of each difference.

    Returns:
        The gradient of that loss with respect to `x`: float64, of its shape.

    Raises:
        JaxgenError: `f` returns another shape, or numbers of less than double precision.
    """
    x, df = np.array(x, np.float64), np.asarray(df, np.float64)
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        ends = []
        for moved in (x[place] + h, x[place] - h):
            point = x.copy()
            point[place] = moved
            ends.append(_double(f(point), df.shape))
        gradient[place] = np.sum((ends[0] - ends[1]) * df) / (2 * h)
    return gradient


def count_params(params: Any) -> int:
    """How many numbers a pytree of arrays, or of their shapes (`jax.eval_shape`), has."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _double(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    value = np.asarray(value)
    if value.shape != shape:
        raise JaxgenError(
            f"the function returns shape {value.shape}, not {shape}: give a `df` of its shape"
        )
    if value.dtype != np.float64:
        raise JaxgenError(
            f"the function returns {value.dtype}, too coarse for differences: return float64, in "
            "JAX under `jax.enable_x64(True)`"
        )
    return value
