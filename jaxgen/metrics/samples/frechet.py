"""FID: how far apart Gaussians fitted to the features of two sets of images lie.

Legend: F features, M real and N fake images.
"""

import numpy as np

from jaxgen.metrics.samples.base import SampleMetric, checked_rows
from jaxgen.metrics.samples.moments import Moments, moments


def frechet_distance(real_MF: np.ndarray, fake_NF: np.ndarray) -> float:
    """Fréchet distance between Gaussians fitted to two sets of features (FID).

    |m1 - m2|² + tr(S1) + tr(S2) - 2 tr((S1^½ S2 S1^½)^½), with unbiased covariances. The root is
    taken by eigenvalues of a symmetric matrix, so that rank-deficient covariances (fewer images
    than features, dead features) are no special case. The estimate is biased upwards by about
    1/N: compare only figures of equally many images.

    Args:
        real_MF: features of M >= 2 images.
        fake_NF: features of N >= 2 images.

    Returns:
        The distance, 0 for equal sets up to rounding and never negative.

    Raises:
        JaxgenError: fewer than 2 rows, widths that differ, values that are not finite.

    Reference:
        Heusel et al. 2017, https://arxiv.org/abs/1706.08500, equation 6.
    """
    real_MF, fake_NF = checked_rows(real_MF, fake_NF)
    return between(moments(real_MF), moments(fake_NF))


def between(real: Moments, fake: Moments) -> float:
    """`frechet_distance` of sets of which only the moments are known."""
    shift_F = real.mean_F - fake.mean_F
    real_FF, fake_FF = real.covariance_FF, fake.covariance_FF
    eigenvalues_F, basis_FF = np.linalg.eigh(real_FF)
    largest = eigenvalues_F.max()
    root_FF = (basis_FF * np.sqrt(_without_rounding(eigenvalues_F, largest))) @ basis_FF.T
    product_F = np.linalg.eigvalsh(root_FF @ fake_FF @ root_FF)
    product_F = _without_rounding(product_F, largest * np.trace(fake_FF))
    distance = shift_F @ shift_F + np.trace(real_FF + fake_FF) - 2 * np.sqrt(product_F).sum()
    return max(float(distance), 0.0)


def _without_rounding(eigenvalues_F: np.ndarray, scale: float) -> np.ndarray:
    """Eigenvalues of a positive semi-definite matrix, those that are rounding of `scale` set to 0.

    Under a root, a rounding error of 1e-16 would count as 1e-8.
    """
    rounding = scale * len(eigenvalues_F) * np.finfo(np.float64).eps
    return np.where(eigenvalues_F > rounding, eigenvalues_F, 0.0)


fid = SampleMetric(
    "fid",
    "FID",
    "lower",
    lambda real, fake: frechet_distance(real.features, fake.features),
    order=10,
    while_training=True,
)
