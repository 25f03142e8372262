"""The way from one of a generator's inputs to another, and truncation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.errors import JaxgenError
from jaxgen.gan import noise


def test_noise_between_two_points():
    start, end = jnp.array([3.0, 0.0]), jnp.array([0.0, 3.0])
    half = np.full(2, 1.5)
    np.testing.assert_allclose(noise.uniform.between(start, end, 0.5), half, rtol=1e-6)
    on_sphere = noise.normal.between(start, end, 0.5)
    np.testing.assert_allclose(np.linalg.norm(on_sphere), 3, rtol=1e-5)


LAWS = {
    "uniform": (noise.uniform, lambda bound: stats.uniform(-bound, 2 * bound)),
    "normal": (noise.normal, lambda bound: stats.truncnorm(-bound, bound)),
}


@pytest.mark.parametrize("bound", [0.05, 0.7, 1.0, 2.5])
@pytest.mark.parametrize("name", LAWS)
def test_truncated_noise_is_what_drawing_again_would_leave(name, bound):
    """Against SciPy's distributions, by a Kolmogorov-Smirnov test."""
    kind, law = LAWS[name]
    drawn = kind.draw(jax.random.key(0), (20_000,))
    if bound > kind.most:
        with pytest.raises(JaxgenError, match=r"above 0 and at most 1, as its noise is, got 2.5"):
            kind.truncated(drawn, bound)
        return
    made = np.asarray(kind.truncated(drawn, bound))
    assert made.dtype == np.float32
    assert np.abs(made).max() <= bound
    assert stats.kstest(made, law(bound).cdf).pvalue > 0.01
    order = np.argsort(drawn)
    assert (np.diff(made[order]) >= 0).all()  # the larger stays larger


def test_a_wide_bound_changes_nothing_and_none_is_none():
    drawn = noise.normal.draw(jax.random.key(1), (5000,))
    np.testing.assert_allclose(noise.normal.truncated(drawn, 40.0), drawn, atol=1e-2)
    uniform = noise.uniform.draw(jax.random.key(1), (50,))
    np.testing.assert_array_equal(noise.uniform.truncated(uniform, 1.0), uniform)
    assert noise.normal.truncated(drawn, None) is drawn


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_bounds_that_leave_nothing_are_refused(bound):
    with pytest.raises(JaxgenError, match="truncation must be above 0, got"):
        noise.normal.check_bound(bound)


def test_noise_of_ones_own_may_have_no_truncation():
    own = dataclasses.replace(noise.normal, truncate=None)
    own.check_bound(None)
    with pytest.raises(JaxgenError, match="does not say what truncation is"):
        own.truncated(jnp.zeros(3), 0.5)
