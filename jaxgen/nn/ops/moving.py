"""Linear functions that copy or add up elements, in bfloat16 the one way and float32 the other.

A sum of rounded elements is not to be rounded again, while copies lose nothing in bfloat16, half
the memory. Each function is the other's derivative, so those of any order in reverse mode are here.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Move = Callable[[Array], Array]


def copied(copy: Move, x: Array) -> Array:
    """`copy(x)` of elements rounded to bfloat16, whose gradient is added up in float32.

    Args:
        copy: a linear function, each of whose results is an element of its argument or 0.
        x: float32.

    Returns:
        float32, of values that bfloat16 has.
    """
    return _pair(copy, _transposed(copy, x.shape, jnp.float32))[0](x)


def added_up(add: Move, y: Array) -> Array:
    """`add(y)` in float32, whose gradient is rounded to bfloat16 and then copied.

    Args:
        add: a linear function that adds up elements of its argument.
        y: float32.

    Returns:
        float32.
    """
    return _pair(_transposed(add, y.shape, jnp.bfloat16), add)[1](y)


def _transposed(move: Move, shape: tuple[int, ...], dtype: jnp.dtype) -> Move:
    def transposed(y: Array) -> Array:
        (x,) = jax.linear_transpose(move, jax.ShapeDtypeStruct(shape, dtype))(y)
        return x

    return transposed


def _pair(copy: Move, add: Move) -> tuple[Move, Move]:
    """Both as differentiable functions of float32, of which each is the other's transpose."""

    @jax.custom_vjp
    def copied(x: Array) -> Array:
        # The barrier keeps what is done with the copies out of the loop that makes them.
        return lax.optimization_barrier(copy(x.astype(jnp.bfloat16))).astype(jnp.float32)

    @jax.custom_vjp
    def added_up(y: Array) -> Array:
        return add(y)

    copied.defvjp(lambda x: (copied(x), None), lambda _, y: (added_up(y),))
    added_up.defvjp(lambda y: (added_up(y), None), lambda _, x: (copied(x),))
    return copied, added_up
