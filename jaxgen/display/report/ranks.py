"""The rank test of Mann and Whitney (1947), exact, ties included.

Whether two sets of figures differ, by nothing but the order of the figures: seeds are few, and no
distribution is known.
"""

import math
from collections.abc import Sequence

import numpy as np

_MOST_EXACT = 2500  # products of the numbers of figures; more are taken as normal


def p_value(first: Sequence[float], second: Sequence[float]) -> float | None:
    """How likely figures from one source would be ordered at least this unevenly, two-sided.

    Args:
        first: figures of one set.
        second: of the other.

    Returns:
        In (0, 1]; None where a set is empty or has a figure that is not finite. Exact up to 2,500
        pairs, ties counted as halves (the conditional permutation test); of more, the normal
        approximation with the correction for ties and for continuity.
    """
    n, m = len(first), len(second)
    values = np.asarray([*first, *second], np.float64)
    if not n or not m or not np.isfinite(values).all():
        return None
    # Twice the rank, so that ties have whole numbers.
    doubled = np.array([(values < v).sum() * 2 + (values == v).sum() + 1 for v in values])
    middle, found = n * (n + m + 1), int(doubled[:n].sum())
    if n * m > _MOST_EXACT:
        ties = np.unique(values, return_counts=True)[1].astype(float)
        total = n + m
        variance = n * m / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
        if variance == 0:
            return 1.0
        z = max(0.0, abs(found - middle) / 2 - 0.5) / math.sqrt(variance)
        return math.erfc(z / math.sqrt(2))
    # ways[k, s]: how many choices of k figures have ranks that add up to s.
    ways = np.zeros((n + 1, int(doubled.sum()) + 1))
    ways[0, 0] = 1
    for rank in doubled.tolist():
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    sums = np.arange(ways.shape[1])
    uneven = ways[n][np.abs(sums - middle) >= abs(found - middle)].sum()
    return float(min(1.0, uneven / ways[n].sum()))
