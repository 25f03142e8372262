"""How certain figures of captions are: images drawn again, and two files of captions exchanged.

N images, R resamples, K counts of an image.

References:
    Efron and Tibshirani 1993, An Introduction to the Bootstrap (percentile intervals); Koehn 2004,
    https://aclanthology.org/W04-3250 (paired bootstrap); Riezler and Maxwell 2005,
    https://aclanthology.org/W05-0908 (approximate randomisation).
"""

from typing import Literal

import numpy as np

from jaxgen.metrics.captions.corpus import Corpus

Test = Literal["bootstrap", "randomisation"]

_ROWS = 100  # resamples at a time, so that memory stays small


def intervals(
    corpus: Corpus, resamples: int, confidence: float, seed: int
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of figures, where images are drawn again with replacement.

    CIDEr-D keeps the document frequencies that it has.

    Args:
        corpus: what each image adds.
        resamples: R.
        confidence: share of the resamples inside of an interval, in (0, 1).
        seed: of the draws; the same one draws the same images of any corpus of this size.

    Returns:
        {key: (low, high)} of each figure.
    """
    tail = 100 * (1 - confidence) / 2
    found = corpus.of_sums(_drawn(corpus.parts_NK, resamples, seed))
    return {
        key: (float(np.percentile(x, tail)), float(np.percentile(x, 100 - tail)))
        for key, x in found.items()
    }


def p_values(one: Corpus, other: Corpus, test: Test, resamples: int, seed: int) -> dict[str, float]:
    """How often chance alone would make two files of captions differ as much as they do.

    Two-sided, of the difference of each figure, and never 0: the difference itself counts as one of
    the resamples.

    Args:
        one, other: what each image adds, of the same images in the same order.
        test: bootstrap draws images again, the same for both, and centres the differences;
            randomisation exchanges the captions of each image with probability one half.
        resamples: R.
        seed: of the draws.

    Returns:
        {key: p} of each figure.
    """
    was, is_now = one.figures(), other.figures()
    if test == "bootstrap":
        sums_RK = _drawn(one.parts_NK, resamples, seed), _drawn(other.parts_NK, resamples, seed)
    else:
        moved_RK = _exchanged(other.parts_NK - one.parts_NK, resamples, seed)
        totals = one.parts_NK.sum(0), other.parts_NK.sum(0)
        sums_RK = totals[0] + moved_RK, totals[1] - moved_RK
    first, second = (
        corpus.of_sums(sums) for corpus, sums in zip((one, other), sums_RK, strict=True)
    )
    p = {}
    for key in was:
        differences_R = second[key] - first[key]
        if test == "bootstrap":
            differences_R = differences_R - differences_R.mean()
        # Sums in another order differ in their last digits.
        least = abs(is_now[key] - was[key]) * (1 - 1e-9)
        p[key] = (1 + int((np.abs(differences_R) >= least).sum())) / (1 + resamples)
    return p


def _drawn(parts_NK: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums over N images drawn with replacement, (R, K)."""
    images = len(parts_NK)
    rng = np.random.default_rng(seed)
    sums = []
    for start in range(0, resamples, _ROWS):
        rows = min(_ROWS, resamples - start)
        drawn = rng.integers(images, size=(rows, images))
        drawn += images * np.arange(rows)[:, None]
        times_RN = np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images)
        sums.append(times_RN.astype(np.float64) @ parts_NK)
    return np.concatenate(sums)


def _exchanged(difference_NK: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums of the differences of the images that a coin chooses, (R, K)."""
    rng = np.random.default_rng(seed)
    sums = []
    for start in range(0, resamples, _ROWS):
        rows = min(_ROWS, resamples - start)
        chosen_RN = rng.integers(2, size=(rows, len(difference_NK))).astype(np.float64)
        sums.append(chosen_RN @ difference_NK)
    return np.concatenate(sums)
