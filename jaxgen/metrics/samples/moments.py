"""Means and covariances of features as sums in float64, block by block: no copy of all of them.

Legend: N rows, F features, B rows of a block.
"""

from dataclasses import dataclass

import numpy as np

_BLOCK = 4096  # rows: 67 MB of 2,048 features in float64


@dataclass(frozen=True)
class Moments:
    """What a Gaussian is fitted by."""

    count: int
    """N."""
    mean_F: np.ndarray
    """float64."""
    scatter_FF: np.ndarray
    """The sum over rows of the products of differences from the mean, float64."""

    @property
    def covariance_FF(self) -> np.ndarray:
        """With divisor N - 1."""
        return self.scatter_FF / (self.count - 1)

    def joined(self, other: "Moments") -> "Moments":
        """Those of the rows of both.

        Reference:
            Chan, Golub and LeVeque 1979, equation 2.1.
        """
        count = self.count + other.count
        shift_F = other.mean_F - self.mean_F
        mean_F = self.mean_F + shift_F * (other.count / count)
        between_FF = np.outer(shift_F, shift_F) * (self.count * other.count / count)
        return Moments(count, mean_F, self.scatter_FF + other.scatter_FF + between_FF)


def moments(x_NF: np.ndarray) -> Moments:
    """The moments of N >= 1 rows of features of any type of real numbers."""
    found: Moments | None = None
    for start in range(0, len(x_NF), _BLOCK):
        block_BF = np.asarray(x_NF[start : start + _BLOCK], np.float64)
        mean_F = block_BF.mean(0)
        centred_BF = block_BF - mean_F
        of_block = Moments(len(block_BF), mean_F, centred_BF.T @ centred_BF)
        found = of_block if found is None else found.joined(of_block)
    if found is None:
        raise ValueError("there are no rows")
    return found
