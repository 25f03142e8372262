"""Copies in bfloat16 and sums in float32, each the other's derivative."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn.ops.moving import added_up, copied

THIRDS = np.float32([1, 2, 4, 5]) / 3  # none of which bfloat16 has


def windows(x):
    """Three windows of two elements each."""
    return jnp.stack([x[:-1], x[1:]], axis=1)


def overlapped(y):
    """The sums where such windows overlap."""
    return jnp.pad(y[:, 0], (0, 1)) + jnp.pad(y[:, 1], (1, 0))


def test_copies_are_rounded_and_the_sums_of_their_gradient_are_not():
    y, back = jax.vjp(lambda x: copied(windows, x), THIRDS)
    np.testing.assert_array_equal(y, windows(np.float32(jnp.bfloat16(THIRDS))))
    g = np.float32([[1, 2], [3, 5], [7, 11]]) / 3
    np.testing.assert_allclose(back(g)[0], [1 / 3, 5 / 3, 4, 11 / 3], rtol=1e-6)


def test_sums_are_not_rounded_and_the_copies_of_their_gradient_are():
    g = np.float32([[1, 2], [3, 5], [7, 11]]) / 3
    y, back = jax.vjp(lambda g: added_up(overlapped, g), g)
    np.testing.assert_allclose(y, [1 / 3, 5 / 3, 4, 11 / 3], rtol=1e-6)
    np.testing.assert_array_equal(back(THIRDS)[0], windows(np.float32(jnp.bfloat16(THIRDS))))


def test_derivatives_of_derivatives_are_the_functions_again():
    def score(x):
        return jnp.square(copied(windows, x)).sum()

    rounded = np.float32(jnp.bfloat16(THIRDS))
    # Two windows read each element but the first and the last.
    np.testing.assert_allclose(jax.grad(score)(THIRDS), 2 * rounded * [1, 2, 2, 1], rtol=1e-6)
    curvature = jax.grad(lambda x: jax.grad(score)(x).sum())(THIRDS)
    np.testing.assert_array_equal(curvature, [2, 4, 4, 2])
