"""Streamed moments beside NumPy's, and the distance between Gaussians that they give."""

import numpy as np
import pytest

from jaxgen.metrics.samples import frechet, moments
from jaxgen.metrics.samples.frechet import frechet_distance


def test_blocks_give_the_moments_of_all_rows(monkeypatch, normal):
    x = np.float32(normal + 1000)  # a large mean, which sums of squares would drown in
    monkeypatch.setattr(moments, "_BLOCK", 37)
    found = moments.moments(x)
    assert found.count == 600
    np.testing.assert_allclose(found.mean_F, x.astype(np.float64).mean(0), rtol=1e-13)
    right = np.cov(x.astype(np.float64), rowvar=False)
    np.testing.assert_allclose(found.covariance_FF, right, rtol=0, atol=1e-10)


def test_moments_of_parts_join_in_any_order(normal):
    parts = [moments.moments(part) for part in np.split(normal, [100, 101, 400])]
    forwards = parts[0].joined(parts[1]).joined(parts[2]).joined(parts[3])
    backwards = parts[3].joined(parts[2].joined(parts[1].joined(parts[0])))
    right = moments.moments(normal)
    for found in (forwards, backwards):
        assert found.count == right.count
        np.testing.assert_allclose(found.mean_F, right.mean_F, atol=1e-14)
        np.testing.assert_allclose(found.scatter_FF, right.scatter_FF, rtol=1e-9, atol=1e-9)


def test_distances_of_moments_are_those_of_features(normal, other):
    whole = frechet_distance(normal, other)
    halves = moments.moments(normal[:300]).joined(moments.moments(normal[300:]))
    assert frechet.between(halves, moments.moments(other)) == pytest.approx(whole, rel=1e-9)
    assert whole > 1
