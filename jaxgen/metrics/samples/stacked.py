"""Stacked digits: which of 1,000 modes a generator makes, and how evenly.

The protocol of PacGAN (Lin et al. 2018, https://arxiv.org/abs/1712.04086, section 4.2): a
classifier of digits looks at each colour of 26,000 samples; three digits are a mode. Counted are
the modes that some sample is taken for, of 1,000, and the reverse Kullback-Leibler divergence, of
the samples' modes from equally likely ones, in nats, as the authors' code has it. A perfect
sampler's divergence is not 0 but about 999 / (2 N) for N samples, 0.019 for 26,000, and a little
more by what the classifier gets wrong: the floor of a report is that of real stacked digits.

Legend: N images, H height, W width, C colours, F features, K classes of digits, M = K³ modes.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples import classifier
from jaxgen.metrics.samples.base import Measured, SampleMetric

COLOURS = 3
FEATURES = COLOURS * classifier.FEATURES
MODES = classifier.CLASSES**COLOURS
SHAPE = (28, 28, COLOURS)
SAMPLES = 26_000
"""That papers measure; fewer have a higher floor."""
_BLOCK = 2000  # images whose colours are taken apart at a time


@dataclass(frozen=True)
class StackedClassifier:
    """A classifier of digits that looks at each colour of an image."""

    digits: classifier.Classifier
    """That knows one digit."""

    name: str = "digits, each colour"
    samples: ClassVar[int] = SAMPLES
    compares_in_training: ClassVar[bool] = False
    """The neighbours of 26,000 samples among 60,000 images take minutes."""

    def features_and_logits(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """What the classifier sees in images.

        Args:
            images: (N, 28, 28, 3), floats in [-1, 1], N >= 1.

        Returns:
            The features of red, green and blue side by side (N, 3 F), and logits (N, M): the log
            probability that red is a, green b and blue c, at 100 a + 10 b + c. Both float32.

        Raises:
            JaxgenError: no images, another shape, values that are not finite or out of range.
        """
        images = np.asarray(images)
        if images.shape[1:] != SHAPE or len(images) == 0:
            raise JaxgenError(f"images have shape {images.shape}: expected (N, 28, 28, 3), N >= 1")
        features, logits = [], []
        for start in range(0, len(images), _BLOCK):
            block_NCHW = np.moveaxis(images[start : start + _BLOCK], -1, 1)
            n = len(block_NCHW)
            features_RF, logits_RK = self.digits.features_and_logits(
                block_NCHW.reshape(n * COLOURS, *SHAPE[:2])
            )
            features.append(features_RF.reshape(n, -1))
            shifted_RK = logits_RK - logits_RK.max(1, keepdims=True)
            log_p_RK = shifted_RK - np.log(np.exp(shifted_RK).sum(1, keepdims=True))
            red_NK, green_NK, blue_NK = np.moveaxis(log_p_RK.reshape(n, COLOURS, -1), 1, 0)
            joint = red_NK[:, :, None, None] + green_NK[:, None, :, None] + blue_NK[:, None, None]
            logits.append(joint.reshape(n, MODES))
        return np.concatenate(features), np.concatenate(logits)


def for_data(images: Any, labels: Any) -> StackedClassifier | None:
    """The classifier of stacked digits, if it knows these images by their labels.

    Args:
        images: (N, 28, 28, 3) in [-1, 1]; a few hundred are enough.
        labels: (N,) their classes, 100 red + 10 green + blue.

    Returns:
        None where it agrees with less than 80 % of the labels.
    """
    stacked = StackedClassifier(classifier.load("digits"))
    modes_N = stacked.features_and_logits(images)[1].argmax(1)
    return stacked if (modes_N == np.asarray(labels)).mean() >= 0.8 else None


def number_of_modes(logits_NM: np.ndarray) -> int:
    """Modes that at least one image is taken for, 1 to M."""
    return int((_counts(logits_NM) > 0).sum())


def divergence_from_even(logits_NM: np.ndarray) -> float:
    """KL(samples' modes || equally likely modes) in nats: 0 even, log M one mode only.

    The mode of an image is its most probable one. The estimate is biased upwards by about
    (M - 1) / (2 N).
    """
    p_M = _counts(logits_NM) / len(logits_NM)
    seen = p_M[p_M > 0]
    return float((seen * np.log(seen * len(p_M))).sum())


def _counts(logits_NM: np.ndarray) -> np.ndarray:
    logits_NM = np.asarray(logits_NM)
    return np.bincount(logits_NM.argmax(1), minlength=logits_NM.shape[1])


def _of_modes(function: Any) -> Any:
    """A metric's `measure`, without a figure where there are no modes but classes."""

    def measure(_: Measured, fake: Measured) -> float | None:
        # ImageNet's classes are as many, but its networks' features are wider.
        shapes = fake.features.shape[1], fake.logits.shape[1]
        return function(fake.logits) if shapes == (FEATURES, MODES) else None

    return measure


reverse_kl = SampleMetric(
    "reverse_kl",
    "reverse KL",
    "lower",
    _of_modes(divergence_from_even),
    order=1,
    while_training=True,
    of_samples_alone=True,
)

modes = SampleMetric(
    "modes",
    f"modes of {MODES:,}",
    "higher",
    _of_modes(number_of_modes),
    order=2,
    while_training=True,
    of_samples_alone=True,
)
