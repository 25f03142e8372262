"""Random samples that the search for a picture begins from.

N pictures, R restarts of each, M samples, Z noise, H height, W width, C channels, D numbers of an
image, F features.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgen.gan.latents.search import Search
from jaxgen.gan.sampling import Sampler, Weights

_MOST, _BYTES = 1024, 2**26  # of samples
Seen = Callable[[np.ndarray], np.ndarray | None]
"""Images to their features (N, F); to None where pixels alone are compared."""


class Candidates(NamedTuple):
    """Random samples that searches begin from, and R of them for each picture."""

    noise_MZ: np.ndarray
    label_M: np.ndarray
    first_NR: np.ndarray
    distance_N: np.ndarray
    negative_N: np.ndarray


def candidates(
    sampler: Sampler,
    weights: Weights,
    search: Search,
    seen: Seen,
    pictures: np.ndarray,
    labels: np.ndarray | None,
    seed: int,
) -> Candidates:
    """Random samples, and those of them that are nearest to each picture.

    They are as many for a given class as for all classes.

    Args:
        sampler: how the generator is sampled.
        weights: of the generator.
        search: how many there are to begin from, and what near means.
        seen: images to their features.
        pictures: float32 (N, H, W, C) in [-1, 1].
        labels: their classes, int (N,); None for any.
        seed: of the samples.
    """
    restarts = search.restarts
    fitting = _BYTES // pictures[0].nbytes
    count = max(restarts, min(_MOST, fitting))
    noise_MZ = sampler.draw_noise(count, seed)[:count]
    if labels is None:
        label_M = sampler.turns(0, count)
        return Candidates(
            noise_MZ, label_M, *_first(sampler, weights, search, seen, pictures, noise_MZ, label_M)
        )
    rows_N = len(pictures)
    first_NR = np.zeros((rows_N, restarts), int)
    distance_N, negative_N = np.zeros(rows_N), np.zeros(rows_N, bool)
    given = np.unique(labels)
    for index, label in enumerate(given):
        row = np.flatnonzero(labels == label)
        label_M = np.full(count, label)
        first, distance_N[row], negative_N[row] = _first(
            sampler, weights, search, seen, pictures[row], noise_MZ, label_M
        )
        first_NR[row] = first + index * count
    return Candidates(
        np.tile(noise_MZ, (len(given), 1)),
        np.repeat(given, count),
        first_NR,
        distance_N,
        negative_N,
    )


def _first(
    sampler: Sampler,
    weights: Weights,
    search: Search,
    seen: Seen,
    pictures: np.ndarray,
    noise_MZ: np.ndarray,
    label_M: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of the samples (N, R) to begin from, how far the nearest is, and `negative`."""
    restarts, weight = search.restarts, search.feature_weight
    made_MHWC = sampler.sample_from(weights, noise_MZ, label_M)
    made_MD = made_MHWC.reshape(len(made_MHWC), -1)
    seen_MF, seen_NF = seen(made_MHWC), seen(pictures)
    squared_M = np.square(made_MD).mean(1)
    first, distances, negatives = [], [], []
    for row, picture in enumerate(pictures):
        picture_D = picture.reshape(-1)
        # |made|^2 - 2 made·picture + |picture|^2, whose middle term changes sign for the negative.
        shared_M = 2 * made_MD @ picture_D / picture_D.size
        own = float(np.square(picture_D).mean())
        apart_M = squared_M - shared_M + own
        distances.append(math.sqrt(max(float(apart_M.min()), 0.0)) / 2)
        negatives.append(float((squared_M + shared_M + own).min()) < float(apart_M.min()))
        total_M = apart_M / 4
        if seen_MF is not None and seen_NF is not None:
            total_M = total_M + weight * np.square(seen_MF - seen_NF[row]).mean(1)
        first.append(_begun_from(total_M, label_M, restarts))
    return np.stack(first), np.array(distances), np.array(negatives)


def _begun_from(total_M: np.ndarray, label_M: np.ndarray, restarts: int) -> np.ndarray:
    """The nearest samples, (R,): one half of them whatever they are, then one of each class more.

    The nearest sample may be of another class than what is nearest in the end.
    """
    order_M = np.argsort(total_M, kind="stable")
    chosen = list(order_M[: -(-restarts // 2)])
    _, firsts = np.unique(label_M[order_M], return_index=True)
    others = [order_M[place] for place in np.sort(firsts)]
    known = set(label_M[chosen].tolist())
    chosen += [place for place in others if label_M[place] not in known]
    taken = set(chosen)
    chosen += [place for place in order_M[: 2 * restarts + len(taken)] if place not in taken]
    return np.array(chosen[:restarts])
