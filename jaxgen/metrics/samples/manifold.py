"""Precision and recall: are samples among the real images, and real images among the samples?

Legend: F features, M real and N fake images, B rows of a block; a and b are any two sets.
"""

from collections.abc import Iterator

import numpy as np

from jaxgen.metrics.samples.base import Measured, SampleMetric, checked_features, once_a_pair

_BLOCK = 1024  # rows of a distance matrix held at once: 40 MB against 5,000 columns


def precision_recall(
    real_MF: np.ndarray, fake_NF: np.ndarray, *, neighbours: int = 3
) -> tuple[float, float]:
    """Share of fakes on the real manifold, and share of real images on the fakes' manifold.

    A set's manifold is the union of balls around its points that reach their k-th nearest
    neighbour in the set. Both figures depend on M and N: compare figures of equal sizes.

    Args:
        real_MF: features of M > k images.
        fake_NF: features of N > k images.
        neighbours: k, 3 in the paper.

    Returns:
        Precision and recall, each in [0, 1].

    Raises:
        JaxgenError: k rows or fewer, widths that differ, values that are not finite.

    Reference:
        Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991, equations 1 to 3.
    """
    real_MF, fake_NF = checked_features(real_MF, fake_NF, least=neighbours + 1)
    real_radii_M = _squared_radii(real_MF, neighbours)
    fake_radii_N = _squared_radii(fake_NF, neighbours)
    on_real_N = np.zeros(len(fake_NF), bool)
    on_fake_M = np.zeros(len(real_MF), bool)
    for rows, squared_BN in _squared_distances(real_MF, fake_NF):
        on_real_N |= (squared_BN <= real_radii_M[rows, None]).any(0)
        on_fake_M[rows] = (squared_BN <= fake_radii_N[None, :]).any(1)
    return float(on_real_N.mean()), float(on_fake_M.mean())


def _squared_distances(a_MF: np.ndarray, b_NF: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows of the (M, N) matrix of squared distances, with the rows' slice."""
    a_norms_M, b_norms_N = (a_MF**2).sum(1), (b_NF**2).sum(1)
    for start in range(0, len(a_MF), _BLOCK):
        rows = slice(start, start + _BLOCK)
        squared_BN = (-2 * a_MF[rows]) @ b_NF.T
        squared_BN += a_norms_M[rows, None]
        squared_BN += b_norms_N[None, :]
        yield rows, squared_BN


def _squared_radii(x_NF: np.ndarray, neighbours: int) -> np.ndarray:
    """Squared distance of each point to its k-th nearest neighbour in the set: (N,)."""
    # A point is its own nearest: index k of the sorted row, counted from 0, is the k-th other.
    blocks = _squared_distances(x_NF, x_NF)
    radii = [np.partition(d, neighbours, axis=1)[:, neighbours] for _, d in blocks]
    # Copies lie at distance 0 up to rounding, and a ball of radius 0 must hold them.
    return np.concatenate(radii) + 1e-12 * (x_NF**2).sum(1)


@once_a_pair
def _both(real: Measured, fake: Measured) -> tuple[float, float]:
    return precision_recall(real.features, fake.features)


precision = SampleMetric(
    "precision",
    "precision",
    "higher",
    lambda real, fake: _both(real, fake)[0],
    order=30,
    while_training=True,
)

recall = SampleMetric(
    "recall",
    "recall",
    "higher",
    lambda real, fake: _both(real, fake)[1],
    order=31,
    while_training=True,
)
