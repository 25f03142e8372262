"""Products of matrices and sequences, in float32 or of operands rounded to bfloat16."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.nn.ops.platforms import by_platform
from jaxgen.nn.precision import exact, rounds

Array = jax.Array


def over_rows(layer: Callable[[Array], Array], x: Array) -> Array:
    """`layer(x)` of a dense layer, with all leading axes of `x` merged into one.

    The numbers are the same. But JAX differentiates a product of three axes by contracting two of
    them at once, for which XLA on CPU first transposes the activations: a Transformer's step at
    batch 128 takes 1.3 times as long.

    Args:
        layer: a function from (R, D) to (R, F).
        x: (..., D).

    Returns:
        (..., F).
    """
    y_RF = layer(x.reshape(-1, x.shape[-1]))
    return y_RF.reshape(*x.shape[:-1], y_RF.shape[-1])


def matmul(x: Array, kernel_DF: Array) -> Array:
    """`x @ kernel` by `over_rows`: (..., D) times (D, F) is (..., F), in the precision in use."""
    if rounds():
        return over_rows(lambda x_RD: rounding_einsum("rd,df->rf", x_RD, kernel_DF), x)
    return over_rows(lambda x_RD: x_RD @ kernel_DF, x)


def einsum(spec: str, a: Array, b: Array) -> Array:
    """`jnp.einsum(spec, a, b)` of activations, summed in float32 at least.

    Both are rounded to bfloat16 where `b` is. It may be kept in float32 where many products read
    it, such as the keys and values of decoding, which XLA's CPU backend would convert for each.
    """
    if b.dtype == jnp.bfloat16:
        return rounding_einsum(spec, a, b)
    return jnp.einsum(spec, exact(a), b)


def dot_general(
    x: Array, kernel: Array, dimension_numbers: Any, precision: Any = None, **options: Any
) -> Array:
    """What Flax's dense layers take as their `dot_general`: `matmul`, in the precision in use."""
    if rounds():
        return matmul(x, kernel)
    return lax.dot_general(x, kernel, dimension_numbers, precision=precision, **options)


def rounding_einsum(spec: str, a: Array, b: Array) -> Array:
    """`jnp.einsum(spec, a, b)` of operands rounded to bfloat16, summed in float32.

    So are its derivatives, of any order in reverse mode: a gradient is rounded where it is an
    operand, and comes out as its variable is.

    Args:
        spec: two operands and a result, each letter of an operand in one of the other two.
        a: float array.
        b: float array.

    Returns:
        float32.
    """
    return _rounding_einsum(spec, (a.dtype, b.dtype), a, b)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _rounding_einsum(spec: str, dtypes: tuple[Any, Any], a: Array, b: Array) -> Array:
    a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    default = partial(jnp.einsum, spec, preferred_element_type=jnp.float32)
    return by_platform(a, b, cpu=partial(_on_cpu, spec), default=default)


def _forward(
    spec: str, dtypes: tuple[Any, Any], a: Array, b: Array
) -> tuple[Array, tuple[Array, Array]]:
    # Kept as they are multiplied: half the memory.
    a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return rounding_einsum(spec, a, b), (a, b)


def _backward(
    spec: str, dtypes: tuple[Any, Any], operands: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    (of_a, of_b), of_y = _letters(spec)
    a, b = operands
    return (
        rounding_einsum(f"{of_y},{of_b}->{of_a}", gradient, b).astype(dtypes[0]),
        rounding_einsum(f"{of_a},{of_y}->{of_b}", a, gradient).astype(dtypes[1]),
    )


_rounding_einsum.defvjp(_forward, _backward)


def _letters(spec: str) -> tuple[tuple[str, str], str]:
    operands, result = spec.split("->")
    of_a, of_b = operands.split(",")
    return (of_a, of_b), result


def _on_cpu(spec: str, a: Array, b: Array) -> Array:
    """The product in the form that XLA's CPU backend gives to its library for bfloat16.

    That form is (M, K) times (K, N) or (N, K), with rows that lie as they were written. Others are
    computed in float32, after a conversion of both operands.
    """
    (of_a, of_b), of_y = _letters(spec)
    if not len(of_a) == len(of_b) == len(of_y) == 2:
        return jnp.einsum(spec, a.astype(jnp.float32), b.astype(jnp.float32))
    if of_y[0] not in of_a:
        a, b, of_a, of_b = b, a, of_b, of_a
    (shared,) = set(of_a) & set(of_b)
    # A kernel's gradient needs a transposed copy: of the activations, or of the gradient that comes
    # back to them and then of the result.
    if of_a[0] == of_b[0] == shared and b.size + a.shape[1] * b.shape[1] < a.size:
        return _on_cpu(f"{of_b},{of_a}->{of_y[::-1]}", b, a).T
    if of_a[1] != shared:
        a = _transposed(a)
    contracted = (((1,), (of_b.index(shared),)), ((), ()))
    # Without the barrier XLA may turn what follows, a transposition for one, into another order of
    # the operands, and then finds no program for it.
    return lax.optimization_barrier(
        lax.dot_general(a, b, contracted, preferred_element_type=jnp.float32)
    )


def _transposed(x_NM: Array) -> Array:
    """The transposed matrix as a copy.

    XLA would only note the order of the axes, if nothing stood between the transposition and the
    product. A copy costs little of a product: the gradient of a kernel 256x2048 from 2,048 rows
    takes half the time with it.
    """
    return lax.optimization_barrier(x_NM.T[None])[0]
