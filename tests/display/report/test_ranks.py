"""The rank test against scipy's, against counting by hand, and at its limits."""

import itertools

import numpy as np
import pytest
from scipy import stats

from jaxgen.display.report.ranks import p_value


@pytest.mark.parametrize("sizes", [(1, 1), (3, 3), (2, 5), (6, 6), (10, 4)])
def test_without_ties_it_is_scipys_exact_test(sizes):
    chance = np.random.default_rng(sum(sizes))
    for shift in (0, 1, 3):
        first, second = (chance.normal(i * shift, 1, n) for i, n in enumerate(sizes))
        expected = stats.mannwhitneyu(first, second, method="exact").pvalue
        assert p_value(first, second) == pytest.approx(expected, abs=1e-12)


def test_with_ties_it_counts_all_ways_to_choose():
    values = [1, 1, 2, 3, 3, 3, 4]
    ranks = stats.rankdata(values)
    for first in itertools.combinations(range(7), 3):
        second = [i for i in range(7) if i not in first]
        distance = abs(ranks[list(first)].sum() - 12)
        ways = [abs(ranks[list(c)].sum() - 12) for c in itertools.combinations(range(7), 3)]
        expected = np.mean([way >= distance - 1e-9 for way in ways])
        got = p_value([values[i] for i in first], [values[i] for i in second])
        assert got == pytest.approx(expected, abs=1e-12)


def test_three_against_three_is_never_under_a_tenth():
    assert p_value([1, 2, 3], [4, 5, 6]) == pytest.approx(0.1)
    assert p_value([4, 5, 6], [1, 2, 3]) == pytest.approx(0.1)
    assert p_value([1, 1, 1], [1, 1, 1]) == 1


def test_of_many_it_is_scipys_normal_approximation():
    chance = np.random.default_rng(0)
    first, second = chance.integers(0, 40, 120), chance.integers(4, 44, 90)
    expected = stats.mannwhitneyu(first, second, method="asymptotic").pvalue
    assert p_value(first.tolist(), second.tolist()) == pytest.approx(expected, rel=1e-9)
    assert p_value([2.0] * 60, [2.0] * 60) == 1


def test_there_is_none_without_figures():
    assert p_value([], [1]) is None
    assert p_value([1, float("nan")], [1]) is None
