"""Ways from one of a generator's inputs to another, what is typical of its noise, truncation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.errors import JaxgenError
from jaxgen.gan import noise

SHARES = np.linspace(0, 1, 9, dtype=np.float32)


def way(between, start, end):
    return np.stack([between(jnp.asarray(start), jnp.asarray(end), share) for share in SHARES])


def drawn(kind, size, count=2):
    return np.asarray(kind.draw(jax.random.key(3), (count, size)))


def test_noise_between_two_points():
    start, end = jnp.array([3.0, 0.0]), jnp.array([0.0, 3.0])
    half = np.full(2, 1.5)
    np.testing.assert_allclose(noise.uniform.between(start, end, 0.5), half, rtol=1e-6)
    on_sphere = noise.normal.between(start, end, 0.5)
    np.testing.assert_allclose(np.linalg.norm(on_sphere), 3, rtol=1e-5)


def test_a_spherical_way_turns_evenly_from_end_to_end():
    start, end = drawn(noise.normal, 50)
    points = way(noise.slerp, start, end)
    np.testing.assert_allclose(points[[0, -1]], [start, end], atol=2e-6)
    lengths = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], 9), rtol=1e-5)
    units = points / lengths[:, None]
    angles = np.arccos((units[:-1] * units[1:]).sum(1))
    np.testing.assert_allclose(angles, angles[0], rtol=1e-3)
    # White's formula, in float64, where both ends have the same length.
    a, b = (x.astype(np.float64) / np.linalg.norm(x) for x in (start, end))
    angle = np.arccos(a @ b)
    white = [(np.sin((1 - s) * angle) * a + np.sin(s * angle) * b) / np.sin(angle) for s in SHARES]
    np.testing.assert_allclose(way(noise.slerp, np.float32(a), np.float32(b)), white, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_equal_opposite_and_absent_ends_are_walked_between(size):
    start = drawn(noise.normal, size)[0]
    np.testing.assert_allclose(way(noise.slerp, start, start), [start] * 9, rtol=1e-5)
    opposite = way(noise.slerp, start, -start)
    np.testing.assert_allclose(opposite[[0, -1]], [start, -start], rtol=1e-4, atol=1e-6)
    if size > 1:
        lengths = np.linalg.norm(opposite, axis=1)
        np.testing.assert_allclose(lengths, np.linalg.norm(start), rtol=1e-5)
    for ends in ((start, 0 * start), (0 * start, start), (0 * start, 0 * start)):
        points = way(noise.slerp, *ends)
        np.testing.assert_allclose(points, way(noise.linear, *ends), atol=1e-6)
    nearly = start * np.float32(1 + 1e-6)
    assert np.isfinite(way(noise.slerp, start, -nearly)).all()


def test_a_spherical_way_of_uniform_noise_stays_in_the_box_and_as_typical_as_its_ends():
    ends = drawn(noise.uniform, 5000).copy()
    ends[0, :3] = [-1, 1, -1]
    points = way(noise.uniform.spherical, *ends)
    np.testing.assert_array_equal(points[[0, -1]], ends)
    assert np.isfinite(points).all()
    assert np.abs(points).max() <= 1
    # Its middle is uniform noise; that of the line is not, and is shorter.
    assert stats.kstest(points[4], stats.uniform(-1, 2).cdf).pvalue > 0.01
    straight = way(noise.linear, *ends)[4]
    assert stats.kstest(straight, stats.uniform(-1, 2).cdf).pvalue < 1e-10


def test_typical_noise_is_in_the_box_or_in_the_shell():
    far = np.array([[3.0, -0.5, -7.0]], np.float32)
    np.testing.assert_array_equal(noise.uniform.typical(far), [[1, -0.5, -1]])
    for size in (1, 5, 100):
        direction = drawn(noise.normal, size)
        bounds = []
        for factor in (1e-3, 1e3):
            moved = np.asarray(noise.normal.typical(factor * direction))
            unit = direction / np.linalg.norm(direction, axis=1, keepdims=True)
            lengths = np.linalg.norm(moved, axis=1)
            np.testing.assert_allclose(moved, unit * lengths[:, None], rtol=1e-4)
            bounds.append(lengths[0] ** 2)
        # The approximation's own error is largest in few dimensions.
        exact = stats.chi2.ppf([0.005, 0.995], size)
        np.testing.assert_allclose(bounds, exact, rtol=0.02, atol=0.07)
        inside = np.float32(size**0.5) * unit
        np.testing.assert_allclose(noise.normal.typical(inside), inside, rtol=1e-6)
    assert np.isfinite(noise.normal.typical(np.zeros((1, 4), np.float32))).all()


def test_spread_is_that_of_the_noise():
    for kind in (noise.uniform, noise.normal):
        assert drawn(kind, 20_000).std() == pytest.approx(kind.spread, rel=0.02)


def test_a_walk_that_is_not_there_is_refused():
    own = dataclasses.replace(noise.uniform, spherical=None)
    assert own.way("linear") is noise.linear
    assert own.way(None) is noise.uniform.between
    with pytest.raises(JaxgenError, match="this noise has no spherical one"):
        own.way("spherical")
    with pytest.raises(JaxgenError, match="linear or spherical, not 'round'"):
        own.way("round")


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
