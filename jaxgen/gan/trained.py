"""A trained generator, as `jaxgen.load` gives it."""

from typing import Any

import jax
import numpy as np

from jaxgen.data.images import base as images
from jaxgen.errors import JaxgenError
from jaxgen.gan import quality as gan_quality
from jaxgen.gan.step import Gan, Weights
from jaxgen.metrics.samples import report as sample_report


class TrainedGan:
    """A trained generator, ready to sample."""

    def __init__(self, gan: Gan, weights: Weights):
        self.config = gan.config
        self.classes = gan.classes if gan.config.conditional else 0
        """Classes that can be asked for; 0 where the model is not conditional."""
        self._gan, self._weights = gan, weights

    def sample(self, seed: int = 0, n: int = 64, labels: Any = None) -> np.ndarray:
        """Draw images.

        Args:
            seed: of the noise; the same seed gives the same images.
            n: how many; ignored where labels are given.
            labels: classes to draw, ints (n,), of a conditional model; by default all in turn.

        Returns:
            float32 (n, height, width, channels) in [-1, 1].

        Raises:
            JaxgenError: labels for a model without classes, or outside of its classes.
        """
        if labels is not None:
            labels = self._checked_labels(labels)
            n = len(labels)
        return self._gan.sample(self._weights, n, seed, labels)

    def interpolate(self, seed: int = 0, rows: int = 8, columns: int = 10) -> np.ndarray:
        """Images on the way from one random input to another, a row of the grid for each pair.

        Returns:
            float32 (rows * columns, height, width, channels) in [-1, 1]; in a conditional model
            each row is of one class.
        """
        ends = self._gan.draw_noise(2 * rows, seed)[: 2 * rows].reshape(rows, 2, -1)
        shares = np.linspace(0, 1, columns, dtype=np.float32)
        between = jax.vmap(jax.vmap(self.config.noise.between, (None, None, 0)), (0, 0, None))
        noise_NZ = np.asarray(between(ends[:, 0], ends[:, 1], shares)).reshape(rows * columns, -1)
        labels = np.repeat(np.arange(rows) % self._gan.classes, columns)
        return self._gan.sample_from(self._weights, noise_NZ, labels, seed)

    def evaluate(self) -> tuple[dict[str, Any], str]:
        """Sample quality against the training images: figures, and the same as a table.

        The figures are those of `jaxgen.metrics.samples.report.report`.
        """
        real = images.load(self.config.data)["train"]
        report = gan_quality.Judge(self._gan, real).report(self._weights)
        return report, sample_report.table(report)

    def _checked_labels(self, labels: Any) -> np.ndarray:
        labels = np.atleast_1d(np.asarray(labels))
        if not self.classes:
            raise JaxgenError("this model is not conditional: it takes no labels")
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
            raise JaxgenError("labels must be a list of whole numbers")
        if labels.min() < 0 or labels.max() >= self.classes:
            raise JaxgenError(
                f"labels must be from 0 to {self.classes - 1}, got {labels.min()} to {labels.max()}"
            )
        return labels
