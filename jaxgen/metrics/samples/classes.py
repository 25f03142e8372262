"""What the classifier takes samples for: how surely, how evenly, and whether for what was asked.

Legend: K classes, M real and N fake images.
"""

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.base import Measured, SampleMetric

_BLOCK = 4096  # rows


def inception_score(logits_NK: np.ndarray) -> float:
    """exp of the mean divergence of p(class | image) from p(class): the Inception score's formula.

    Args:
        logits_NK: the classifier's logits of N images.

    Returns:
        1 (every image alike, or unsure) to K (sure of each image, all classes equally often).

    Reference:
        Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 4.
    """
    certainty, sum_K = 0.0, 0.0
    for start in range(0, len(logits_NK), _BLOCK):
        block_NK = np.asarray(logits_NK[start : start + _BLOCK], np.float64)
        shifted_NK = block_NK - block_NK.max(1, keepdims=True)
        log_p_NK = shifted_NK - np.log(np.exp(shifted_NK).sum(1, keepdims=True))
        p_NK = np.exp(log_p_NK)
        certainty += float((p_NK * log_p_NK).sum())
        sum_K = sum_K + p_NK.sum(0)
    marginal_K = np.maximum(sum_K / len(logits_NK), np.finfo(np.float64).tiny)
    divergence = certainty / len(logits_NK) - float((marginal_K * np.log(marginal_K)).sum())
    return float(np.exp(divergence))


def in_parts(logits_NK: np.ndarray, parts: int = 10) -> tuple[float, float]:
    """Mean and standard deviation of the Inception score over parts of the images, as in papers.

    Args:
        logits_NK: the logits of N images in a random order; no part is empty.
        parts: into how many they are cut.
    """
    scores = [inception_score(part) for part in np.array_split(logits_NK, parts) if len(part)]
    return float(np.mean(scores)), float(np.std(scores))


def class_shares(logits_NK: np.ndarray) -> np.ndarray:
    """Share of images in each class by the classifier's best guess: (K,), sums to 1."""
    logits_NK = np.asarray(logits_NK)
    return np.bincount(logits_NK.argmax(1), minlength=logits_NK.shape[1]) / len(logits_NK)


def total_variation(real_logits_MK: np.ndarray, fake_logits_NK: np.ndarray) -> float:
    """Total variation between the class shares of two sets: 0 equal, 1 no class in common."""
    return float(np.abs(class_shares(real_logits_MK) - class_shares(fake_logits_NK)).sum() / 2)


def accuracy(logits_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """Share of images that the classifier puts in their class.

    Raises:
        JaxgenError: not one label for each image.
    """
    labels_N = checked_labels(labels_N, len(logits_NK))
    return float((np.asarray(logits_NK).argmax(1) == labels_N).mean())


def checked_labels(labels: np.ndarray, n: int) -> np.ndarray:
    """The labels of `n` images as an array (n,).

    Raises:
        JaxgenError: not one label for each image.
    """
    labels_N = np.asarray(labels)
    if labels_N.shape != (n,):
        raise JaxgenError(f"labels of shape {labels_N.shape} for {n} images: give one integer each")
    return labels_N


def _agreement(_: Measured, fake: Measured) -> float | None:
    return None if fake.labels is None else accuracy(fake.logits, fake.labels)


classifier_score = SampleMetric(
    "classifier_score",
    "classifier score",
    "closer to the floor",
    lambda real, fake: inception_score(fake.logits),
    order=40,
)

class_imbalance = SampleMetric(
    "class_imbalance",
    "class imbalance",
    "lower",
    lambda real, fake: total_variation(real.logits, fake.logits),
    order=41,
)

label_agreement = SampleMetric(
    "label_agreement", "label agreement", "higher", _agreement, order=60, while_training=True
)
