"""The way from one of a generator's inputs to another."""

import jax.numpy as jnp
import numpy as np

from jaxgen.gan import noise


def test_noise_between_two_points():
    start, end = jnp.array([3.0, 0.0]), jnp.array([0.0, 3.0])
    half = np.full(2, 1.5)
    np.testing.assert_allclose(noise.uniform.between(start, end, 0.5), half, rtol=1e-6)
    on_sphere = noise.normal.between(start, end, 0.5)
    np.testing.assert_allclose(np.linalg.norm(on_sphere), 3, rtol=1e-5)
