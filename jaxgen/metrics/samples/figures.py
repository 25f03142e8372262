"""How good are generated images: FID, KID, precision and recall, class figures, diversity.

Everything but `diversity` works on the features and logits of `jaxgen.metrics.samples.classifier`, in
float64 on the host. `jaxgen.metrics.samples.report` sets each figure beside its floor.

Legend: N images, F features, K classes, M real and N fake where two sets meet.
"""

from collections.abc import Iterator

import numpy as np

from jaxgen.errors import JaxgenError

_BLOCK = 1024  # rows of a distance matrix held at once: 40 MB against 5,000 columns


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

    Reference: Heusel et al. 2017, arXiv:1706.08500, eq. 6.
    """
    real_MF, fake_NF = _checked(real_MF, fake_NF)
    shift_F = real_MF.mean(0) - fake_NF.mean(0)
    real_FF = np.atleast_2d(np.cov(real_MF, rowvar=False))
    fake_FF = np.atleast_2d(np.cov(fake_NF, rowvar=False))
    eigenvalues_F, basis_FF = np.linalg.eigh(real_FF)
    largest = eigenvalues_F.max()
    root_FF = (basis_FF * np.sqrt(_without_rounding(eigenvalues_F, largest))) @ basis_FF.T
    product_F = np.linalg.eigvalsh(root_FF @ fake_FF @ root_FF)
    product_F = _without_rounding(product_F, largest * np.trace(fake_FF))
    distance = shift_F @ shift_F + np.trace(real_FF + fake_FF) - 2 * np.sqrt(product_F).sum()
    return max(float(distance), 0.0)


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
        JaxgenError: as `frechet_distance`.

    Reference: Bińkowski et al. 2018, arXiv:1801.01401, section 4.
    """
    real_MF, fake_NF = _checked(real_MF, fake_NF)
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
        JaxgenError: as `frechet_distance`.

    Reference: Gretton et al. 2012, JMLR 13, eq. 3.
    """
    sets = _checked(real_MF, fake_NF)
    # Rows (x / √F, 1), so that their products are x·y/F + 1.
    width = sets[0].shape[1]
    a_MG, b_NG = (np.pad(x / width**0.5, ((0, 0), (0, 1)), constant_values=1.0) for x in sets)

    def sum_of_kernel(a, b):
        base = a @ b.T
        return np.vdot(base * base, base)

    def mean_over_distinct_pairs(a):
        diagonal = ((a * a).sum(1) ** 3).sum()
        return (sum_of_kernel(a, a) - diagonal) / (len(a) * (len(a) - 1))

    within = mean_over_distinct_pairs(a_MG) + mean_over_distinct_pairs(b_NG)
    return float(within - 2 * sum_of_kernel(a_MG, b_NG) / (len(a_MG) * len(b_NG)))


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
        JaxgenError: k rows or fewer, and as `frechet_distance`.

    Reference: Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 1 to 3.
    """
    real_MF, fake_NF = _checked(real_MF, fake_NF, least=neighbours + 1)
    real_radii_M = _squared_radii(real_MF, neighbours)
    fake_radii_N = _squared_radii(fake_NF, neighbours)
    on_real_N = np.zeros(len(fake_NF), bool)
    on_fake_M = np.zeros(len(real_MF), bool)
    for rows, squared_BN in _squared_distances(real_MF, fake_NF):
        on_real_N |= (squared_BN <= real_radii_M[rows, None]).any(0)
        on_fake_M[rows] = (squared_BN <= fake_radii_N[None, :]).any(1)
    return float(on_real_N.mean()), float(on_fake_M.mean())


def classifier_score(logits_NK: np.ndarray) -> float:
    """exp of the mean divergence of p(class | image) from p(class): the Inception score's formula.

    Args:
        logits_NK: the classifier's logits of N images.

    Returns:
        1 (every image alike, or unsure) to K (sure of each image, all classes equally often).

    Reference: Salimans et al. 2016, arXiv:1606.03498, section 4.
    """
    logits_NK = np.asarray(logits_NK, np.float64)
    shifted_NK = logits_NK - logits_NK.max(1, keepdims=True)
    log_p_NK = shifted_NK - np.log(np.exp(shifted_NK).sum(1, keepdims=True))
    p_NK = np.exp(log_p_NK)
    log_marginal_K = np.log(np.maximum(p_NK.mean(0), np.finfo(np.float64).tiny))
    return float(np.exp((p_NK * (log_p_NK - log_marginal_K)).sum(1).mean()))


def class_shares(logits_NK: np.ndarray) -> np.ndarray:
    """Share of images in each class by the classifier's best guess: (K,), sums to 1."""
    logits_NK = np.asarray(logits_NK)
    return np.bincount(logits_NK.argmax(1), minlength=logits_NK.shape[1]) / len(logits_NK)


def class_imbalance(real_logits_MK: np.ndarray, fake_logits_NK: np.ndarray) -> float:
    """Total variation between the class shares of two sets: 0 equal, 1 no class in common."""
    return float(np.abs(class_shares(real_logits_MK) - class_shares(fake_logits_NK)).sum() / 2)


def label_agreement(logits_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """Share of images that the classifier puts in the class that was asked for.

    Raises:
        JaxgenError: not one label for each image.
    """
    labels_N = np.asarray(labels_N)
    if labels_N.shape != (len(logits_NK),):
        raise JaxgenError(
            f"labels of shape {labels_N.shape} for {len(logits_NK)} images: give one integer each"
        )
    return float((np.asarray(logits_NK).argmax(1) == labels_N).mean())


def diversity(fake: np.ndarray, real: np.ndarray) -> float:
    """How far two samples lie apart, as a share of how far two real images do.

    The distance is the root mean square over all pairs, in pixels or in features, and comes from
    the variances alone (its square is twice their sum): cheap enough for an alarm at every log
    line. Near 0 the generator has collapsed to one image; 1 is the data's diversity.

    Args:
        fake: N >= 2 images or features, (N, ...).
        real: M >= 2 real ones, (M, ...).

    Returns:
        The ratio, at least 0.

    Raises:
        JaxgenError: as `frechet_distance`, or real images that are all equal.
    """
    flat_real, flat_fake = (np.reshape(x, (len(x), -1)) for x in (real, fake))
    flat_real, flat_fake = _checked(flat_real, flat_fake)
    real_variance = flat_real.var(0, ddof=1).sum()
    if real_variance == 0:
        raise JaxgenError("diversity: all real images are equal; compare with different ones")
    return float(np.sqrt(flat_fake.var(0, ddof=1).sum() / real_variance))


def _checked(real, fake, least=2):
    """Both sets as float64, or a sentence about what is wrong with them."""
    sets = {"real": np.asarray(real, np.float64), "generated": np.asarray(fake, np.float64)}
    for name, x in sets.items():
        if x.ndim != 2:
            raise JaxgenError(f"{name} features have shape {x.shape}: expected (images, features)")
        if len(x) < least:
            raise JaxgenError(f"{len(x)} {name} images are too few: give at least {least}")
        if not np.isfinite(x).all():
            row = int(np.flatnonzero(~np.isfinite(x).all(1))[0])
            raise JaxgenError(f"{name} features of image {row} are not finite: the model diverged")
    widths = [x.shape[1] for x in sets.values()]
    if widths[0] != widths[1]:
        raise JaxgenError(
            f"real features are {widths[0]} wide and generated ones {widths[1]}: use one "
            "classifier for both"
        )
    return tuple(sets.values())


def _without_rounding(eigenvalues_F, scale):
    """Eigenvalues of a positive semi-definite matrix, those that are rounding of `scale` set to 0.

    Under a root, a rounding error of 1e-16 would count as 1e-8.
    """
    rounding = scale * len(eigenvalues_F) * np.finfo(np.float64).eps
    return np.where(eigenvalues_F > rounding, eigenvalues_F, 0.0)


def _squared_distances(a_MF, b_NF) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows of the (M, N) matrix of squared distances, with the rows' slice."""
    a_norms_M, b_norms_N = (a_MF**2).sum(1), (b_NF**2).sum(1)
    for start in range(0, len(a_MF), _BLOCK):
        rows = slice(start, start + _BLOCK)
        squared_BN = (-2 * a_MF[rows]) @ b_NF.T
        squared_BN += a_norms_M[rows, None]
        squared_BN += b_norms_N[None, :]
        yield rows, squared_BN


def _squared_radii(x_NF, neighbours):
    """Squared distance of each point to its k-th nearest neighbour in the set: (N,)."""
    # A point is its own nearest: index k of the sorted row, counted from 0, is the k-th other.
    blocks = _squared_distances(x_NF, x_NF)
    radii = [np.partition(d, neighbours, axis=1)[:, neighbours] for _, d in blocks]
    # Copies lie at distance 0 up to rounding, and a ball of radius 0 must hold them.
    return np.concatenate(radii) + 1e-12 * (x_NF**2).sum(1)
