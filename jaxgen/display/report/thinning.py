"""Curves with fewer points and the same extremes.

S steps.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from jaxgen.display.report.told import Series


def places(rows: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Which of S points to keep, so that no extreme of any row is lost.

    Args:
        rows: values over the same steps, floats (S,) each; NaN where there is none.
        most: how many points may stay, at least 4 for each row.

    Returns:
        Indices in order, int, at most `most` of them: all where they fit; else the first, the last
        and, of each of as many equal stretches as that allows, where each row is lowest and
        highest.
    """
    size = len(rows[0])
    if size <= most:
        return np.arange(size)
    stretches = max(1, (most - 2) // (2 * len(rows)))
    edges = np.linspace(0, size, stretches + 1).astype(int)
    kept = {0, size - 1}
    for start, end in itertools.pairwise(edges.tolist()):
        for row in rows:
            part = row[start:end]
            if len(part) and not np.isnan(part).all():
                kept |= {start + int(np.nanargmin(part)), start + int(np.nanargmax(part))}
    return np.array(sorted(kept))


def smooth(values: Sequence[np.ndarray], blocks: int = 150) -> list[np.ndarray] | None:
    """Means over equal stretches of each row, at least so many; None where points are too few."""
    length = len(values[0]) // blocks
    if length < 2:
        return None
    used = len(values[0]) // length * length
    # What is left over is at the beginning, or the newest would be missing.
    return [row[-used:].reshape(-1, length).mean(axis=1) for row in values]


def together(series: Sequence[Series]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and standard deviation over seeds at each step that any of them has.

    Returns:
        Steps int (S,), means (S,), and standard deviations of a sample (S,), NaN where one seed
        alone has the step.
    """
    if len(series) == 1:
        steps, values = series[0]
        return steps, values, np.full(len(steps), np.nan)
    steps = np.unique(np.concatenate([own for own, _ in series]))
    table = np.full((len(series), len(steps)), np.nan)
    for row, (own, values) in zip(table, series, strict=True):
        row[np.searchsorted(steps, own)] = values
    count = (~np.isnan(table)).sum(axis=0)
    mean = np.nansum(table, axis=0) / count
    squares = np.nansum((table - mean) ** 2, axis=0)
    spread = np.sqrt(squares / np.maximum(count - 1, 1))
    return steps, mean, np.where(count > 1, spread, np.nan)
