"""Fewer points, the same extremes."""

import numpy as np
import pytest

from jaxgen.display.report import thinning


@pytest.mark.parametrize("most", [4, 5, 100, 2000])
def test_the_extremes_of_a_long_curve_stay(most):
    values = np.random.default_rng(0).normal(size=100_000)
    values[77_123], values[3] = 50, -50
    kept = thinning.places([values], most)
    assert len(kept) <= most
    assert (np.diff(kept) > 0).all()
    assert {0, 3, 77_123, 99_999} <= set(kept.tolist())


def test_every_stretch_keeps_its_own_extremes():
    values = np.random.default_rng(1).normal(size=1000)
    kept = set(thinning.places([values], 102).tolist())
    for start in range(0, 1000, 20):
        part = values[start : start + 20]
        assert {start + part.argmin(), start + part.argmax()} <= kept


def test_of_several_rows_each_keeps_its_extremes():
    rows = np.random.default_rng(2).normal(size=(3, 5000))
    rows[2, :2500] = np.nan
    kept = thinning.places(rows, 300)
    assert len(kept) <= 300
    for row in rows:
        assert {np.nanargmin(row), np.nanargmax(row)} <= set(kept.tolist())


def test_a_short_curve_stays_as_it_is():
    assert thinning.places([np.arange(9.0)], 9).tolist() == list(range(9))


def test_smoothing_gives_means_that_end_with_the_newest_points():
    (means,) = thinning.smooth([np.arange(1003.0)], blocks=100)
    assert len(means) >= 100
    assert means[-1] == np.mean(np.arange(993, 1003))
    assert thinning.smooth([np.arange(150.0)], blocks=100) is None


def test_seeds_are_taken_together_at_the_steps_that_each_has():
    one = np.array([1, 2, 4]), np.array([1.0, 2.0, 4.0])
    other = np.array([2, 3, 4]), np.array([4.0, 7.0, 8.0])
    steps, mean, spread = thinning.together([one, other])
    assert steps.tolist() == [1, 2, 3, 4]
    assert mean.tolist() == [1, 3, 7, 6]
    np.testing.assert_allclose(spread, [np.nan, 2**0.5, np.nan, 8**0.5])
