"""Are samples among the real images, and real images among the samples? By balls around features.

Precision and recall, density and coverage, from distances that the devices compute in blocks of
rows: of n images n² numbers, of which no more than `_MOST` are there at once.

Legend: F features, M real and N fake images, B rows of a block, K nearest neighbours of a point and
itself; a and b are any two sets.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.metrics.samples.base import Measured, SampleMetric, checked_rows, once_a_pair
from jaxgen.nn import batch_axis, placing
from jaxgen.nn import precision as arithmetic

Array = jax.Array

NEAR = 3
"""Neighbours that the balls of precision and recall reach, as in their paper."""
DENSE = 5
"""Those of density and coverage, as in theirs."""
MOST_IMAGES = 50_000
"""Of each set that are compared: as many as papers draw; of more a random choice."""
_BLOCK = 1024  # rows of distances held at once
_MOST = 2**25  # of these numbers, 134 MB
_ROUNDING = 2.0**-19  # of a squared norm: what rounding adds to a squared distance, with room


class Neighbours(NamedTuple):
    """What `neighbours` finds; shares are in [0, 1]."""

    precision: float
    """Of fakes that lie within the ball of a real image."""
    recall: float
    """Of real images that lie within the ball of a fake."""
    density: float
    """In how many balls of real images a fake lies, as a share of k: about 1 for perfect samples,
    and more where they crowd."""
    coverage: float
    """Of real images in whose ball a fake lies."""


def precision_recall(
    real_MF: np.ndarray, fake_NF: np.ndarray, *, neighbours: int = NEAR
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
    found = among_neighbours(real_MF, fake_NF, near=neighbours, dense=neighbours)
    return found.precision, found.recall


def density_coverage(
    real_MF: np.ndarray, fake_NF: np.ndarray, *, neighbours: int = DENSE
) -> tuple[float, float]:
    """In how many balls of real images fakes lie, and in which share of these balls any lies.

    Unlike precision and recall they do not count on the fakes' balls, and one real image far from
    all others cannot make samples good. Coverage of perfect samples is 1 - 2^-k for M = N.

    Args:
        real_MF: features of M > k images.
        fake_NF: features of N > k images.
        neighbours: k, 5 in the paper.

    Returns:
        Density, at least 0, and coverage in [0, 1].

    Raises:
        JaxgenError: k rows or fewer, widths that differ, values that are not finite.

    Reference:
        Naeem et al. 2020, https://arxiv.org/abs/2002.09797, equations 3 and 4.
    """
    found = among_neighbours(real_MF, fake_NF, near=neighbours, dense=neighbours)
    return found.density, found.coverage


def among_neighbours(
    real_MF: np.ndarray, fake_NF: np.ndarray, *, near: int = NEAR, dense: int = DENSE
) -> Neighbours:
    """Precision and recall, density and coverage at once: most of the work is the same.

    Distances are in float32 around the mean of the real features, so that no large common part
    takes digits from them; a ball holds what lies at its edge up to rounding.

    Args:
        real_MF: features of M images, more than k.
        fake_NF: features of N images, more than k.
        near: k of precision and recall.
        dense: k of density and coverage.

    Raises:
        JaxgenError: k rows or fewer, widths that differ, values that are not finite.
    """
    real_MF, fake_NF = checked_rows(real_MF, fake_NF, least=max(near, dense) + 1)
    mean_F = np.asarray(np.mean(real_MF, axis=0, dtype=np.float64))
    real, fake = _Points(real_MF, mean_F), _Points(fake_NF, mean_F)
    real_near_M, real_dense_M = real.squared_radii(near, dense)
    fake_near_N, _ = fake.squared_radii(near, near)
    count_N, on_real_N = np.zeros(len(fake_NF), np.int64), np.zeros(len(fake_NF), bool)
    on_fake, covered = 0, 0
    (radii_N,) = fake.placed(fake_near_N)
    for rows, block_BF, norm_B, (near_B, dense_B) in real.blocks(real_near_M, real_dense_M):
        with placing.around(fake.points_NF), arithmetic.highest():
            met = _meet(block_BF, norm_B, near_B, dense_B, fake.points_NF, fake.norms_N, radii_N)
        is_near_N, dense_N, is_on_fake_B, is_covered_B = map(np.asarray, met)
        there = rows.stop - rows.start
        on_real_N |= is_near_N
        count_N += dense_N
        on_fake += int(is_on_fake_B[:there].sum())
        covered += int(is_covered_B[:there].sum())
    count = len(real_MF)
    density = float(count_N.mean()) / dense
    return Neighbours(float(on_real_N.mean()), on_fake / count, density, covered / count)


class _Points:
    """A set of features on the devices, and its blocks of rows."""

    def __init__(self, x_NF: np.ndarray, mean_F: np.ndarray) -> None:
        self._host_NF = np.empty(x_NF.shape, np.float32)
        for start in range(0, len(x_NF), _BLOCK):
            self._host_NF[start : start + _BLOCK] = x_NF[start : start + _BLOCK] - mean_F[None]
        self._norms_N = np.einsum("nf,nf->n", self._host_NF, self._host_NF)
        self.points_NF, self.norms_N = self.placed(self._host_NF, self._norms_N)

    def placed(self, *arrays: np.ndarray) -> Any:
        """Arrays whole on each device."""
        return placing.on_each_device(arrays)

    def blocks(
        self, *beside: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray, list[np.ndarray]]]:
        """Blocks of rows of one size, their squared norms, and what stands beside them.

        The last is filled up with points that lie in no ball and have none.
        """
        count = len(self._host_NF)
        size = max(1, min(_BLOCK, _MOST // count, count))
        for start in range(0, count, size):
            rows = slice(start, min(start + size, count))
            fill = size - (rows.stop - start)
            block_BF = np.pad(self._host_NF[rows], ((0, fill), (0, 0)))
            others = [np.pad(x[rows], (0, fill), constant_values=-1) for x in beside]
            norm_B = np.pad(self._norms_N[rows], (0, fill), constant_values=np.inf)
            yield rows, block_BF, norm_B, others

    def squared_radii(self, *neighbours: int) -> list[np.ndarray]:
        """Squared distances of each point to its k-th nearest neighbour, (N,) for each k."""
        found = []
        for rows, block_BF, norm_B, _ in self.blocks():
            with placing.around(self.points_NF), arithmetic.highest():
                nearest_BK = _nearest(
                    block_BF, norm_B, self.points_NF, self.norms_N, most=max(neighbours) + 1
                )
            found.append(np.asarray(nearest_BK)[: rows.stop - rows.start])
        # A point is its own nearest: place k, counted from 0, is the k-th other.
        nearest_NK = np.concatenate(found)
        # Copies lie at distance 0 up to rounding, and a ball of radius 0 must hold them.
        slack_N = np.float32(_ROUNDING) * self._norms_N
        return [np.maximum(nearest_NK[:, k], 0) + slack_N for k in neighbours]


def _squared(a_BF: Array, a_norm_B: Array, b_NF: Array, b_norm_N: Array) -> Array:
    """Squared distances (B, N), and of points that only fill up infinity."""
    product_BN = jnp.einsum("bf,nf->bn", a_BF, b_NF, preferred_element_type=jnp.float32)
    return a_norm_B[:, None] + b_norm_N[None, :] - 2 * product_BN


@partial(jax.jit, static_argnames="most")
def _nearest(block_BF: Array, norm_B: Array, all_NF: Array, norms_N: Array, most: int) -> Array:
    """The smallest squared distances of each row, ascending: (B, most)."""
    rows, norms = batch_axis.spread(block_BF), batch_axis.spread(norm_B)
    squared_BN = _squared(rows, norms, all_NF, norms_N)

    def smallest(squared_BN: Array) -> Array:
        return -jax.lax.top_k(-squared_BN, most)[0]

    return batch_axis.whole(batch_axis.by_device(smallest, squared_BN), len(block_BF))


@jax.jit
def _meet(
    block_BF: Array,
    norm_B: Array,
    near_B: Array,
    dense_B: Array,
    fake_NF: Array,
    fake_norm_N: Array,
    fake_near_N: Array,
) -> tuple[Array, ...]:
    """Of a block of real images: which fakes lie in a ball of theirs, and in how many wider ones;
    which of the real images lie in a fake's ball, and which have a fake in their wider one."""
    n = len(block_BF)
    near_B1, dense_B1 = (batch_axis.spread(radii_B)[:, None] for radii_B in (near_B, dense_B))
    squared_BN = _squared(
        batch_axis.spread(block_BF), batch_axis.spread(norm_B), fake_NF, fake_norm_N
    )
    is_there_B1 = (jnp.arange(len(squared_BN)) < n)[:, None]  # not a copy that fills up
    is_dense_BN = squared_BN <= dense_B1
    on_real_N = ((squared_BN <= near_B1) & is_there_B1).any(0)
    count_N = (is_dense_BN & is_there_B1).sum(0, dtype=jnp.int32)
    on_fake_B = (squared_BN <= fake_near_N[None, :]).any(1)
    of_fakes = [batch_axis.whole(x_N, len(fake_NF)) for x_N in (on_real_N, count_N)]
    of_block = [batch_axis.whole(x_B, n) for x_B in (on_fake_B, is_dense_BN.any(1))]
    return (*of_fakes, *of_block)


@once_a_pair
def _all(real: Measured, fake: Measured) -> Neighbours:
    # Few images have fewer neighbours; the wider balls are then not asked for.
    is_enough = min(len(real.features), len(fake.features)) > DENSE
    real_MF, fake_NF = (_chosen(measured.features, fake.seed) for measured in (real, fake))
    return among_neighbours(real_MF, fake_NF, dense=DENSE if is_enough else NEAR)


def _chosen(features_NF: np.ndarray, seed: int) -> np.ndarray:
    """The features of no more than `MOST_IMAGES`."""
    if len(features_NF) <= MOST_IMAGES:
        return features_NF
    rows = np.random.default_rng(seed).choice(len(features_NF), MOST_IMAGES, replace=False)
    return features_NF[np.sort(rows)]


def _wide(real: Measured, fake: Measured) -> Neighbours | None:
    is_enough = min(len(real.features), len(fake.features)) > DENSE
    return _all(real, fake) if is_enough else None


def _density(real: Measured, fake: Measured) -> float | None:
    found = _wide(real, fake)
    return None if found is None else found.density


def _coverage(real: Measured, fake: Measured) -> float | None:
    found = _wide(real, fake)
    return None if found is None else found.coverage


precision = SampleMetric(
    "precision",
    "precision",
    "higher",
    lambda real, fake: _all(real, fake).precision,
    order=30,
    while_training=True,
)

recall = SampleMetric(
    "recall",
    "recall",
    "higher",
    lambda real, fake: _all(real, fake).recall,
    order=31,
    while_training=True,
)

density = SampleMetric("density", "density", "closer to the floor", _density, order=32)

coverage = SampleMetric("coverage", "coverage", "higher", _coverage, order=33)
