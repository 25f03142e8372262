"""KID against loops, over all splits, and over seeds."""

import itertools

import numpy as np

from jaxgen.metrics.samples.kernel import kernel_distance, polynomial_mmd


def test_mmd_agrees_with_a_double_loop(normal, other):
    a, b = normal[:7], other[:5]

    def kernel(x, y):
        return (sum(p * q for p, q in zip(x, y, strict=True)) / 8 + 1) ** 3

    def distinct(z):
        n = len(z)
        pairs = [kernel(z[i], z[j]) for i in range(n) for j in range(n) if i != j]
        return sum(pairs) / (n * (n - 1))

    cross = sum(kernel(x, y) for x in a for y in b) / (len(a) * len(b))
    expected = distinct(a) + distinct(b) - 2 * cross
    np.testing.assert_allclose(polynomial_mmd(a, b), expected, rtol=1e-12)


def test_mmd_is_unbiased_over_all_splits(normal):
    # Over every split of 6 points in 3 and 3 the estimate averages to 0 exactly; the biased one,
    # with the diagonal, cannot: it is never negative.
    points = normal[:6]
    estimates = []
    for chosen in itertools.combinations(range(6), 3):
        rest = [i for i in range(6) if i not in chosen]
        estimates.append(polynomial_mmd(points[list(chosen)], points[rest]))
    assert min(estimates) < 0 < max(estimates)
    np.testing.assert_allclose(np.mean(estimates), 0, atol=1e-12)


def test_kid_is_the_mean_over_subsets_and_follows_the_seed(normal, other):
    mean, std = kernel_distance(normal, other, subsets=200, subset_size=100)
    np.testing.assert_allclose(mean, polynomial_mmd(normal, other), atol=3 * std / 200**0.5)
    assert std > 0
    again = kernel_distance(normal, other, subsets=200, subset_size=100)
    other = kernel_distance(normal, other, subsets=200, subset_size=100, seed=1)
    assert (mean, std) == again != other
