"""A scan over time of any cell, with the gradient of each kernel as one product after it.

Automatic differentiation of a scan adds up a kernel's gradient step by step: products of few rows
and, where the batch is split among devices, a collective in every step. Here the cell multiplies by
a function that it is given, which lets the scan keep what was multiplied.

Shapes: N batch, T time, R rows (T·N), D and F width of a kernel's input and output.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.nn import batch_axis, ops
from jaxgen.nn.precision import Precision, exact, rounded, rounds, using

Array = jax.Array
PyTree = Any
Kernels = Mapping[str, Array]
"""By name, (D, F) each."""
Multiply = Callable[[str, Array], Array]
"""(name, x_ND) -> the product with the kernel of that name, (N, F) in float32 at least."""


Cell = Callable[[Multiply, Any, Any, Any], tuple[Any, Any]]
"""One step of a recurrence, (multiply, fixed, carry, x) -> (carry, given): a function, or anything
else that can be hashed and compared. It multiplies by each kernel once at most. `fixed` are arrays
(N, ...) that are the same in every step, `carry` those of the step before, `x` those of this
one."""


def step(
    cell: Cell, kernels: Kernels, fixed: PyTree, carry: PyTree, x: PyTree
) -> tuple[PyTree, PyTree]:
    """One step alone, for decoding."""
    return cell(lambda name, x_ND: ops.matmul(x_ND, kernels[name]), fixed, carry, x)


def scan(
    cell: Cell, kernels: Kernels, fixed: PyTree, carry: PyTree, inputs_T: PyTree
) -> tuple[PyTree, PyTree]:
    """`jax.lax.scan` of a cell.

    Everything that a loss depends on has to be an argument: a gradient for anything else that the
    cell reads, such as a parameter, would be lost without a word.

    Args:
        cell: one step.
        kernels: what it may multiply by.
        fixed: arrays (N, ...) that every step reads.
        carry: arrays (N, ...) before the first step.
        inputs_T: arrays (T, N, ...).

    Returns:
        The last carry, and what the steps gave, (T, N, ...).
    """
    # Asked here, where the policy is known: derivatives are traced later.
    precision: Precision = "bfloat16" if rounds() else "float32"
    return _scan(cell, precision, dict(kernels), fixed, carry, inputs_T)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _scan(
    cell: Cell,
    precision: Precision,
    kernels: dict[str, Array],
    fixed: PyTree,
    carry: PyTree,
    inputs_T: PyTree,
) -> tuple[PyTree, PyTree]:
    with using(precision):
        operands = {name: rounded(kernel) for name, kernel in kernels.items()}

    def one_step(carry: PyTree, x: PyTree) -> tuple[PyTree, PyTree]:
        def multiply(name: str, x_ND: Array) -> Array:
            return ops.einsum("nd,df->nf", x_ND, operands[name])

        return cell(multiply, fixed, carry, x)

    with using(precision):
        return jax.lax.scan(one_step, carry, inputs_T)


def _forward(
    cell: Cell,
    precision: Precision,
    kernels: dict[str, Array],
    fixed: PyTree,
    carry: PyTree,
    inputs_T: PyTree,
) -> tuple[tuple[PyTree, PyTree], tuple[Any, ...]]:
    with using(precision):
        operands = {name: rounded(kernel) for name, kernel in kernels.items()}
    steps, batch = jax.tree.leaves(inputs_T)[0].shape[:2]
    # Added to each product; the gradients of these zeros are those of the products.
    zeros_T = {
        name: jnp.zeros((steps, batch, kernel.shape[1]), kernel.dtype)
        for name, kernel in operands.items()
    }

    def run(
        zeros_T: dict[str, Array], fixed: PyTree, carry: PyTree, inputs_T: PyTree
    ) -> tuple[tuple[PyTree, PyTree], dict[str, Array]]:
        def one_step(carry: PyTree, both: tuple[PyTree, dict[str, Array]]) -> tuple[PyTree, PyTree]:
            x, zeros = both
            read: dict[str, Array] = {}

            def multiply(name: str, x_ND: Array) -> Array:
                if name in read:
                    raise ValueError(f"a cell multiplies by {name!r} once; give another kernel")
                read[name] = x_ND.astype(operands[name].dtype)
                return ops.einsum("nd,df->nf", x_ND, operands[name]) + exact(zeros[name])

            carry, given = cell(multiply, fixed, carry, x)
            return carry, (given, read)

        carry, (given_T, read_T) = jax.lax.scan(one_step, carry, (inputs_T, zeros_T))
        return (carry, given_T), read_T

    with using(precision):
        result, pull_back, read_T = jax.vjp(run, zeros_T, fixed, carry, inputs_T, has_aux=True)
    return result, (pull_back, read_T, kernels)


def _backward(
    cell: Cell, precision: Precision, residuals: tuple[Any, ...], gradient: tuple[PyTree, PyTree]
) -> tuple[PyTree, ...]:
    pull_back, read_T, kernels = residuals
    products_T, fixed, carry, inputs_T = pull_back(gradient)
    of_kernels = {
        name: ops.einsum(
            "rd,rf->df", batch_axis.rows(read_T[name]), batch_axis.rows(products_T[name])
        ).astype(kernel.dtype)
        if name in read_T
        else jnp.zeros_like(kernel)
        for name, kernel in kernels.items()
    }
    return of_kernels, fixed, carry, inputs_T


_scan.defvjp(_forward, _backward)
