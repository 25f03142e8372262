"""KID: how far apart two sets of features lie for a polynomial kernel, without bias.

Legend: F features, M real and N fake images; a and b are any two sets, G = F + 1.
"""

import numpy as np

from jaxgen.metrics.samples.base import (
    Measured,
    SampleMetric,
    checked_features,
    checked_rows,
    once_a_pair,
)


def kernel_distance(
    real_MF: np.ndarray,
    fake_NF: np.ndarray,
    *,
    subsets: int = 25,
    subset_size: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Squared maximum mean discrepancy under the kernel (x·y/F + 1)³ (KID), over random subsets.

    Each subset's estimate is unbiased, so that sets of different sizes can be compared, and a
    perfect generator's figure scatters around 0, below it as often as above.

    Args:
        real_MF: features of M images.
        fake_NF: features of N images.
        subsets: how many pairs of subsets are drawn.
        subset_size: images in each; no more than half of the smaller set is taken (but 2 at
            least), so that subsets differ.
        seed: of the subsets.

    Returns:
        Mean and standard deviation over the subsets.

    Raises:
        JaxgenError: fewer than 2 rows, widths that differ, values that are not finite.

    Reference:
        Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401, section 4.
    """
    real_MF, fake_NF = checked_rows(real_MF, fake_NF)  # only subsets become float64
    size = max(2, min(subset_size, len(real_MF) // 2, len(fake_NF) // 2))
    rng = np.random.default_rng(seed)
    estimates = [
        polynomial_mmd(
            real_MF[rng.choice(len(real_MF), size, replace=False)],
            fake_NF[rng.choice(len(fake_NF), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return float(np.mean(estimates)), float(np.std(estimates))


def polynomial_mmd(real_MF: np.ndarray, fake_NF: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy under the kernel (x·y/F + 1)³.

    Args:
        real_MF: features of M >= 2 images.
        fake_NF: features of N >= 2 images.

    Returns:
        The estimate; negative values are possible, as its mean over equal distributions is 0.

    Raises:
        JaxgenError: as `kernel_distance`.

    Reference:
        Gretton et al. 2012, https://jmlr.org/papers/v13/gretton12a.html, equation 3.
    """
    sets = checked_features(real_MF, fake_NF)
    # Rows (x / √F, 1), so that their products are x·y/F + 1.
    width = sets[0].shape[1]
    a_MG, b_NG = (np.pad(x / width**0.5, ((0, 0), (0, 1)), constant_values=1.0) for x in sets)
    within = _mean_over_distinct_pairs(a_MG) + _mean_over_distinct_pairs(b_NG)
    return float(within - 2 * _sum_of_cubes(a_MG, b_NG) / (len(a_MG) * len(b_NG)))


def _sum_of_cubes(a_MG: np.ndarray, b_NG: np.ndarray) -> float:
    products_MN = a_MG @ b_NG.T
    return float(np.vdot(products_MN * products_MN, products_MN))


def _mean_over_distinct_pairs(a_MG: np.ndarray) -> float:
    diagonal = float(((a_MG * a_MG).sum(1) ** 3).sum())
    return (_sum_of_cubes(a_MG, a_MG) - diagonal) / (len(a_MG) * (len(a_MG) - 1))


@once_a_pair
def _mean_and_deviation(real: Measured, fake: Measured) -> tuple[float, float]:
    return kernel_distance(real.features, fake.features, seed=fake.seed)


kid = SampleMetric(
    "kid",
    "KID x 1000",
    "lower",
    lambda real, fake: _mean_and_deviation(real, fake)[0],
    order=20,
    scale=1000,
    while_training=True,
)

kid_std = SampleMetric(
    "kid_std",
    None,
    "lower",
    lambda real, fake: _mean_and_deviation(real, fake)[1],
    order=21,
)
"""How sure the mean is: the deviation over the subsets."""
