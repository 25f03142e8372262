"""Diversity against a loop over all pairs."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.diversity import spread_ratio


def images(n, seed, scale=0.3):
    return np.random.default_rng(seed).normal(scale=scale, size=(n, 28, 28, 1)).clip(-1, 1)


def test_diversity_is_the_ratio_of_root_mean_square_pairwise_distances():
    real, fake = images(6, 0), images(5, 1, scale=0.1)

    def distance(x):
        pairs = [((a - b) ** 2).sum() for i, a in enumerate(x) for b in x[:i]]
        return np.sqrt(np.mean(pairs))

    np.testing.assert_allclose(spread_ratio(real, fake), distance(fake) / distance(real))
    assert spread_ratio(real, real[:1].repeat(4, 0)) < 1e-12
    with pytest.raises(JaxgenError, match="all real images are equal"):
        spread_ratio(np.zeros((4, 28, 28, 1)), real)
