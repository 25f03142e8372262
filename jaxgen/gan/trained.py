"""A trained generator, as `jaxgen.load` returns it."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.gan.explored import ExploredGan
from jaxgen.gan.exporting import exportable
from jaxgen.gan.quality import GanQuality
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.metrics.samples import report as sample_report
from jaxgen.nn.placing import on_each_device
from jaxgen.nn.precision import plain
from jaxgen.training.checkpoints import refuse_misfit
from jaxgen.training.exporting.exportable import Exportable
from jaxgen.training.metrics_file import History
from jaxgen.training.task import Saved, TrainConfig


class TrainedGan(ExploredGan):
    """A trained generator, ready to sample."""

    def __init__(
        self,
        config: TrainConfig,
        sampler: Sampler,
        saved: Saved,
        quality: Callable[[], GanQuality],
    ) -> None:
        """Take the configuration, how it is sampled, what was saved, and how to measure it.

        Raises:
            JaxgenError: what was saved is not the state of a GAN, or one of another configuration.
        """
        try:
            # An exported model has one of the two, and no statistics where there are none.
            kept = saved.state.get("average") or saved.state["generator"]
            self._weights = Weights(kept["params"], kept.get("stats", {}))
        except (KeyError, TypeError) as error:
            raise JaxgenError(
                f"the checkpoint of step {saved.step} does not hold a GAN ({error} is missing)"
            ) from error
        refuse_misfit(sampler.weight_shapes()._asdict(), self._weights._asdict(), saved.step)
        self._weights = on_each_device(self._weights)
        self.config = config
        self.classes = sampler.asked_classes
        """Classes that can be asked for; 0 where the model is not conditional."""
        self.clusters = len(sampler.cluster_sizes)
        """Clusters that it was trained with in place of labels, by number; 0 for none."""
        self.module, self.params = plain(sampler.generator), self._weights.params
        """The generator's Flax module, described in `Networks.generator`, and its parameters."""
        self._sampler, self._saved, self._make_quality = sampler, saved, quality

    @property
    def history(self) -> History:
        """Every metric of its run by name: steps int (S,) and values float (S,)."""
        return self._saved.history

    @property
    def most_truncation(self) -> float | None:
        """The largest bound that truncates its noise; None if it is not truncated."""
        noise = self._sampler.noise
        return None if noise.truncate is None else noise.most

    def sample(
        self,
        seed: int = 0,
        n: int = 64,
        labels: Any = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Draw images.

        Args:
            seed: of the noise; the same seed yields the same images.
            n: how many; ignored where labels are given.
            labels: classes to draw, ints (n,), of a conditional model, by default all in turn; or
                clusters, by default as often as training images fall on them.
            truncation: the largest number in the noise, for samples that are more typical and less
                varied; see `jaxgen.gan.noise`. None for none.

        Returns:
            float32 (n, height, width, channels) in [-1, 1]. An image depends on its own place in
            the noise and its label alone, unless the configuration asks for batch statistics.

        Raises:
            JaxgenError: the model takes no labels, or a label is not one of its classes; its noise
                cannot be truncated so.
        """
        if labels is not None:
            labels = self._checked_labels(labels)
            n = len(labels)
        if n < 1:
            raise JaxgenError(f"n must be at least 1, got {n}")
        return self._sampler.sample(self._weights, n, seed, labels, truncation)

    def evaluate(self, truncation: float | None = None) -> tuple[dict[str, Any], str]:
        """Sample quality against the training images: figures, and the same as a table.

        Args:
            truncation: of the noise, as for `sample`.

        Returns:
            The figures of `jaxgen.metrics.samples.report.report`, with the `truncation` if there is
            one; and the table.

        Raises:
            JaxgenError: the data cannot be read or no classifier knows them; the noise cannot be
                truncated so.
        """
        report = self._quality.report(self._weights, truncation)
        return report, sample_report.table(report)

    def exportable(self) -> Exportable:
        """What `jaxgen.training.exporting.folder.write` writes."""
        weights = jax.tree.map(np.asarray, self._weights)
        return exportable(self.config, self._sampler, weights, self._saved)

    @cached_property
    def _quality(self) -> GanQuality:
        return self._saved.with_data(self._make_quality)

    def _checked_labels(self, labels: Any) -> np.ndarray:
        try:
            labels = np.atleast_1d(np.asarray(labels))
        except ValueError as error:  # rows of different lengths
            raise JaxgenError(f"labels must be a list of whole numbers ({error})") from error
        known = self._sampler.classes
        if not known:
            raise JaxgenError("this model is not conditional: it takes no labels")
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
            raise JaxgenError("labels must be a list of whole numbers")
        if labels.min() < 0 or labels.max() >= known:
            raise JaxgenError(
                f"labels must be from 0 to {known - 1}, got {labels.min()} to {labels.max()}"
            )
        return labels
