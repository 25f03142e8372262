"""FID against closed forms, other ways to compute it, and covariances at the edge."""

import numpy as np
import pytest
import scipy.linalg

from jaxgen.metrics.samples.frechet import frechet_distance


def with_moments(mean, covariance, n=200):
    """Rows whose sample mean and unbiased covariance are exactly those given."""
    x = np.random.default_rng(2).normal(size=(n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_fid_of_a_set_against_itself_is_zero(normal, other):
    for x in (normal, other, 1e4 * other):
        assert frechet_distance(x, x) <= 1e-12 * np.trace(np.cov(x, rowvar=False))


def test_fid_of_diagonal_gaussians_is_the_sum_over_axes():
    # Diagonal covariances commute: sum of (m1 - m2)² + (s1 - s2)², by hand 1 + 4 + 1 + 0 = 6.
    real = with_moments(np.array([0.0, 1.0]), np.diag([4.0, 9.0]))
    fake = with_moments(np.array([1.0, -1.0]), np.diag([9.0, 9.0]))
    np.testing.assert_allclose(frechet_distance(real, fake), 6.0, rtol=1e-12)


def test_fid_agrees_with_eigenvalues_of_the_unsymmetric_product(normal, other):
    real, fake = np.cov(normal, rowvar=False), np.cov(other, rowvar=False)
    root_trace = np.real(np.sqrt(np.linalg.eigvals(real @ fake))).sum()
    shift = normal.mean(0) - other.mean(0)
    expected = shift @ shift + np.trace(real) + np.trace(fake) - 2 * root_trace
    np.testing.assert_allclose(frechet_distance(normal, other), expected, rtol=1e-12)
    np.testing.assert_allclose(root_trace, np.trace(scipy.linalg.sqrtm(real @ fake)).real)


@pytest.mark.parametrize("n", [2, 5, 40])
def test_fid_survives_rank_deficient_covariances(n):
    wide = np.random.default_rng(3).normal(size=(2 * n, 64))
    wide[:, 10:30] = 0.0  # dead features
    real, fake = wide[:n], wide[n:]
    assert frechet_distance(real, real) <= 1e-6
    # Independent: the trace of the root is the nuclear norm of the product of centred data.
    a, b = real - real.mean(0), fake - fake.mean(0)
    root_trace = np.linalg.svd(a @ b.T, compute_uv=False).sum() / (n - 1)
    shift = real.mean(0) - fake.mean(0)
    expected = shift @ shift + ((a**2).sum() + (b**2).sum()) / (n - 1) - 2 * root_trace
    np.testing.assert_allclose(frechet_distance(real, fake), expected, rtol=1e-9)


def test_fid_of_constant_sets_is_the_squared_shift():
    real, fake = np.zeros((3, 4)), np.full((5, 4), 2.0)
    assert frechet_distance(real, fake) == 16.0
