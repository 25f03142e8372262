"""The training images that are nearest to samples, and whether samples are copies of them.

N samples, T training images, V images that were held out, K neighbours, D numbers of an image or
of its features, P parts of the training images that are as many as the held-out ones, B rows of a
block.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jaxgen.display import progress

Rows = Callable[[np.ndarray], np.ndarray]
"""places (B,) -> float32 (B, D)"""
BLOCK_BYTES = 2**25  # of a block of training images


@dataclass(frozen=True)
class Nearest:
    """Distances from images to their nearest among others, and which those are."""

    place_NK: np.ndarray
    """Places of the nearest ones, the nearest first."""
    distance_NK: np.ndarray
    """Root mean squared difference of the D numbers."""
    of_part_NP: np.ndarray
    """The distance to the nearest one of each part."""

    def rows(self, rows: slice) -> "Nearest":
        """That of some of the images."""
        return Nearest(self.place_NK[rows], self.distance_NK[rows], self.of_part_NP[rows])


def nearest(
    images_ND: np.ndarray,
    others: Rows,
    count: int,
    neighbours: int,
    parts: tuple[int, int] = (0, 0),
    self_N: np.ndarray | None = None,
) -> Nearest:
    """The nearest of many images, which are read a block at a time.

    Args:
        images_ND: of which each gets its neighbours.
        others: reads the images that they are looked for among.
        count: T, how many there are.
        neighbours: K, less than T.
        parts: P and how many images each part has: of the first of them every P-th, so that parts
            of a sorted set are alike.
        self_N: for each image the place that it has among the others, where it is not its own
            neighbour; -1 for one that is not among them. None if none is.
    """
    images_ND = np.asarray(images_ND, np.float32)
    total, size = images_ND.shape
    block = max(1, BLOCK_BYTES // (4 * max(size, total)))
    count_of_parts, in_parts = parts[0], parts[0] * parts[1]
    of_part_NP = np.full((total, count_of_parts), np.inf, np.float32)
    own_N, doubled_ND = np.square(images_ND).sum(1), -2 * images_ND
    squared_NK, place_NK = np.zeros((total, 0), np.float32), np.zeros((total, 0), int)
    with progress.bar(total=count, desc="comparing", unit="image", delay=1) as done:
        for start in range(0, count, block):
            place_B = np.arange(start, min(count, start + block))
            others_BD = others(place_B)
            squared_NB = doubled_ND @ others_BD.T
            squared_NB += own_N[:, None]
            squared_NB += np.square(others_BD).sum(1)[None, :]
            if self_N is not None:
                row = np.flatnonzero((self_N >= start) & (self_N <= place_B[-1]))
                squared_NB[row, self_N[row] - start] = np.inf
            for part in range(count_of_parts):
                inside = slice((part - start) % count_of_parts, max(0, in_parts - start), parts[0])
                if squared_NB[:, inside].size:
                    nearest_N = squared_NB[:, inside].min(1)
                    of_part_NP[:, part] = np.minimum(of_part_NP[:, part], nearest_N)
            least_NK, column_NK = _least(squared_NB, neighbours)
            squared_NK = np.concatenate([squared_NK, least_NK], axis=1)
            place_NK = np.concatenate([place_NK, place_B[column_NK]], axis=1)
            squared_NK, column_NK = _least(squared_NK, neighbours)
            place_NK = np.take_along_axis(place_NK, column_NK, 1)
            done.update(len(place_B))
    # Once more, exactly: the difference of large numbers is 0 for no copy.
    exact_NK = np.stack([_apart(images_ND, others, place_N) for place_N in place_NK.T], axis=1)
    order_NK = np.argsort(exact_NK, axis=1, kind="stable")
    return Nearest(
        np.take_along_axis(place_NK, order_NK, 1),
        np.sqrt(np.take_along_axis(exact_NK, order_NK, 1)),
        np.sqrt(of_part_NP.clip(min=0) / size),
    )


def _least(squared_NB: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` least of each row, in no order, and their columns; all where there are fewer."""
    count = min(count, squared_NB.shape[1])
    column_NK = np.argpartition(squared_NB, count - 1, axis=1)[:, :count]
    return np.take_along_axis(squared_NB, column_NK, 1), column_NK


def _apart(images_ND: np.ndarray, others: Rows, place_N: np.ndarray) -> np.ndarray:
    """Mean squared difference of each image and the one at its place."""
    block = max(1, BLOCK_BYTES // (4 * images_ND.shape[1]))
    apart = [
        np.square(images_ND[start : start + block] - others(place_N[start : start + block])).mean(
            1, dtype=np.float64
        )
        for start in range(0, len(place_N), block)
    ]
    return np.concatenate(apart)


@dataclass(frozen=True)
class Closeness:
    """How near samples are to the training images, beside how near new real images are."""

    samples: float
    """Median distance of a sample to its nearest training image."""
    real: float
    """The same of a real image: one that was held out, or where none was, a training image, to its
    nearest other one."""
    ratio: float
    """`samples / real`: 1 for samples that are as new as real images are, less for copies, and for
    samples that are plainer than real images."""
    nearer: float | None
    """Share of samples that are nearer to a training image than to any held-out one, of as many:
    the mean over parts of the training images. One half for a model that has learnt what they have
    in common, more for one that has learnt them by heart. None where none were held out."""
    chance: tuple[float, float] | None
    """The least and the largest such share where two parts of the training images take the places
    of both: what chance does."""
    copies: float
    """Share of samples that are nearer to a training image than 99 % of real images are; 1 % by
    chance."""


def closeness(samples: Nearest, real: Nearest, held_out_N: np.ndarray | None) -> Closeness:
    """What distances say of copying.

    Args:
        samples: of the samples to the training images, in parts of as many as were held out.
        real: of the real images to the training images.
        held_out_N: distance of each sample to the nearest held-out image; None where there are
            none.
    """
    of_samples, of_real = samples.distance_NK[:, 0], real.distance_NK[:, 0]
    middle, real_middle = float(np.median(of_samples)), float(np.median(of_real))
    nearer, chance = None, None
    of_part_NP = samples.of_part_NP
    if held_out_N is not None and of_part_NP.shape[1]:
        nearer = float(_share_nearer(of_part_NP, held_out_N[:, None]))
        between = [
            float(_share_nearer(of_part_NP[:, a], of_part_NP[:, b]))
            for a in range(of_part_NP.shape[1])
            for b in range(of_part_NP.shape[1])
            if a != b
        ]
        chance = (min(between), max(between)) if between else None
    return Closeness(
        middle,
        real_middle,
        middle / max(real_middle, 1e-12),
        nearer,
        chance,
        float((of_samples < np.quantile(of_real, 0.01)).mean()),
    )


def _share_nearer(one: np.ndarray, other: np.ndarray) -> np.floating:
    """Share of distances that are less than others; half of those that are the same count."""
    return (np.mean(one < other) + np.mean(one <= other)) / 2
