"""Max pooling against `lax.reduce_window`, and what is promised at ties and NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen.errors import JaxgenError
from jaxgen.nn import ops


def reduce_window(x, window, stride):
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, window, window, 1), (1, stride, stride, 1), "VALID"
    )


@pytest.mark.parametrize(
    ("shape", "window", "stride"),
    [((2, 8, 8, 3), 2, 2), ((2, 7, 9, 3), 2, 2), ((2, 8, 7, 1), 3, 2), ((1, 9, 8, 2), 2, 3)],
)
def test_value_and_gradient_agree_with_reduce_window(shape, window, stride):
    x = jnp.asarray(np.random.default_rng(0).standard_normal(shape), jnp.float32)

    def value_and_gradient(pool):
        return jax.value_and_grad(lambda x: jnp.sum(pool(x, window, stride) ** 3))(x)

    np.testing.assert_array_equal(ops.max_pool(x, window, stride), reduce_window(x, window, stride))
    for ours, theirs in zip(
        value_and_gradient(ops.max_pool), value_and_gradient(reduce_window), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("window", [2, 3])
def test_forward_mode_agrees_with_reverse_mode(window):
    rng = np.random.default_rng(0)
    x, dx = (jnp.asarray(rng.standard_normal((2, 7, 6, 3)), jnp.float32) for _ in range(2))
    y, dy = jax.jvp(lambda x: ops.max_pool(x, window), (x,), (dx,))
    _, pull_back = jax.vjp(lambda x: ops.max_pool(x, window), x)
    np.testing.assert_allclose(jnp.vdot(dy, y), jnp.vdot(dx, pull_back(y)[0]), rtol=1e-5)


def test_second_order():
    # y = max of four, f = y^3: the second derivative is 6 y at the largest element, else 0.
    x = jnp.asarray([[1.0, 2.0], [4.0, 3.0]])[None, :, :, None]
    gradient = jax.grad(lambda x: jnp.sum(ops.max_pool(x) ** 3))
    second = jax.grad(lambda x: jnp.sum(gradient(x)))(x)
    np.testing.assert_array_equal(second[0, :, :, 0], [[0.0, 0.0], [24.0, 0.0]])


def test_ties_share_the_gradient():
    gradient = jax.grad(lambda x: jnp.sum(ops.max_pool(x)))(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(gradient, np.full((1, 2, 2, 1), 0.25))
    # Windows of three that overlap in one column: it is in both, an element among nine in each.
    gradient = jax.grad(lambda x: jnp.sum(ops.max_pool(x, 3, 2)))(jnp.ones((1, 3, 5, 1)))
    expected = np.asarray([1, 1, 2, 1, 1]) / 9
    np.testing.assert_allclose(gradient[0, :, :, 0], np.tile(expected, (3, 1)), rtol=1e-6)
    two = jnp.asarray([[5.0, 5.0], [1.0, 1.0]])[None, :, :, None]
    gradient = jax.grad(lambda x: jnp.sum(ops.max_pool(x)))(two)
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[0.5, 0.5], [0.0, 0.0]])


def test_nan_propagates():
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 2, 0].set(jnp.nan)
    np.testing.assert_array_equal(
        jnp.isnan(ops.max_pool(x))[0, :, :, 0], [[False, True], [False, False]]
    )


@pytest.mark.parametrize(
    ("shape", "window"), [((1, 1, 4, 1), 2), ((4, 4, 1), 2), ((1, 4, 4, 1), 0)]
)
def test_bad_arguments_are_refused(shape, window):
    with pytest.raises(JaxgenError, match="max_pool"):
        ops.max_pool(jnp.zeros(shape), window)
