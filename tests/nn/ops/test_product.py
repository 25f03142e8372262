"""The product of sequences with a kernel: the same numbers, and no transposed activations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn import ops


@pytest.mark.parametrize("leading", [(5,), (2, 3), (2, 3, 4)])
def test_values_and_gradients_are_those_of_the_operator(leading):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((*leading, 6)), jnp.float32)
    kernel = jnp.asarray(rng.standard_normal((6, 7)), jnp.float32)
    expected, pull_back = jax.vjp(jnp.matmul, x, kernel)
    actual, our_pull_back = jax.vjp(ops.matmul, x, kernel)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    for ours, theirs in zip(our_pull_back(actual), pull_back(expected), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_the_kernel_gradient_contracts_one_axis():
    x, kernel = jnp.ones((4, 8, 16)), jnp.ones((16, 32))
    gradient = jax.jit(jax.grad(lambda k: jnp.sum(ops.matmul(x, k) ** 2)))
    program = gradient.lower(kernel).as_text()
    assert "contracting_dims = [0] x [0]" in program
    assert "contracting_dims = [0, 1]" not in program
