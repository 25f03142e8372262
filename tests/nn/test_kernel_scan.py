"""The scan with its own derivatives beside `jax.lax.scan` with JAX's.

N batch, T time, D width.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn import kernel_scan
from jaxgen.nn.precision import using

BATCH, STEPS, WIDTH = 3, 5, 4


def cell(multiply, fixed, carry, x):
    h_ND = jnp.tanh(multiply("recurrent", carry) + x + fixed)
    return h_ND, (h_ND, multiply("out", h_ND * fixed))


def plain(kernels, fixed, carry, inputs_T):
    def step(carry, x):
        return cell(lambda name, x_ND: x_ND @ kernels[name], fixed, carry, x)

    return jax.lax.scan(step, carry, inputs_T)


def own(*arguments):
    return kernel_scan.scan(cell, *arguments)


@pytest.fixture
def arguments():
    rng = np.random.default_rng(0)
    kernels = {"recurrent": rng.normal(size=(WIDTH, WIDTH)), "out": rng.normal(size=(WIDTH, 2))}
    fixed, carry = rng.normal(size=(2, BATCH, WIDTH))
    return kernels, fixed, carry, rng.normal(size=(STEPS, BATCH, WIDTH))


def weighted(function):
    def loss(arguments):
        leaves = jax.tree.leaves(function(*arguments))
        return sum(
            jnp.sum(leaf * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape)) for leaf in leaves
        )

    return jax.jit(jax.value_and_grad(loss))


def test_values_and_gradients_are_those_of_a_scan(x64, arguments):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12),
        weighted(own)(arguments),
        weighted(plain)(arguments),
    )


def test_a_step_alone_is_a_step_of_the_scan(x64, arguments):
    kernels, fixed, carry, inputs_T = arguments
    last, given_T = jax.jit(own)(*arguments)
    for t in range(STEPS):
        carry, given = kernel_scan.step(cell, kernels, fixed, carry, inputs_T[t])
        jax.tree.map(lambda a, b, t=t: np.testing.assert_allclose(a, b[t]), given, given_T)
    np.testing.assert_allclose(carry, last)


def test_a_kernel_that_is_not_used_has_no_gradient(x64, arguments):
    kernels, *others = arguments
    more = kernels | {"idle": np.ones((2, 7))}
    gradient = weighted(own)((more, *others))[1][0]["idle"]
    np.testing.assert_array_equal(gradient, np.zeros((2, 7)))


def test_bfloat16_rounds_operands_and_keeps_gradients_in_float32(arguments):
    arguments = jax.tree.map(lambda x: x.astype(np.float32), arguments)
    value, gradients = weighted(own)(arguments)

    def rounding(*arguments):
        with using("bfloat16"):
            return own(*arguments)

    near, of_rounded = weighted(rounding)(arguments)
    assert near != value
    assert near == pytest.approx(float(value), rel=0.05)
    assert {leaf.dtype for leaf in jax.tree.leaves(of_rounded)} == {np.dtype(np.float32)}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=0.1 * np.abs(b).max()),
        of_rounded,
        gradients,
    )


def test_one_kernel_twice_in_a_step_is_refused(arguments):
    def greedy(multiply, fixed, carry, x):
        once = multiply("recurrent", carry)
        return multiply("recurrent", once), x

    with pytest.raises(ValueError, match="multiplies by 'recurrent' once"):
        weighted(lambda *a: kernel_scan.scan(greedy, *a))(arguments)
