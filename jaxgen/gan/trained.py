"""A trained generator, as `jaxgen.load` returns it."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.gan.exporting import exportable
from jaxgen.gan.quality import GanQuality
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.metrics.samples import report as sample_report
from jaxgen.nn.placing import on_each_device
from jaxgen.nn.precision import plain
from jaxgen.settings.memory import refuse_too_much
from jaxgen.training.checkpoints import refuse_misfit
from jaxgen.training.exporting.exportable import Exportable
from jaxgen.training.metrics_file import History
from jaxgen.training.task import Saved, TrainConfig


class TrainedGan:
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
        self.classes = sampler.classes
        """Classes that can be asked for; 0 where the model is not conditional."""
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
            labels: classes to draw, ints (n,), of a conditional model; by default all in turn.
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

    def interpolate(
        self, seed: int = 0, rows: int = 8, columns: int = 10, truncation: float | None = None
    ) -> np.ndarray:
        """Images on the way from one random input to another, a row of the grid for each pair.

        Returns:
            float32 (rows * columns, height, width, channels) in [-1, 1]; in a conditional model
            each row is of one class.

        Raises:
            JaxgenError: memory does not hold them, or the noise cannot be truncated so.
        """
        if rows < 1 or columns < 1:
            raise JaxgenError(f"rows and columns must be at least 1, got {rows} and {columns}")
        sampler = self._sampler
        _refuse_many(rows * columns, sampler.noise_size)
        drawn_NZ = sampler.draw_noise(2 * rows, seed, truncation)[: 2 * rows]
        shares = np.linspace(0, 1, columns, dtype=np.float32)
        noise_NZ = sampler.between(drawn_NZ[::2], drawn_NZ[1::2], shares)
        labels = np.repeat(sampler.turns(0, rows), columns)
        return sampler.sample_from(self._weights, noise_NZ, labels, seed, truncation)

    def walk(
        self,
        seed: int = 0,
        stops: int = 4,
        steps: int = 12,
        labels: Any = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Images on a way through random inputs, one after the other, and back to the first.

        Args:
            seed: of the noise.
            stops: how many inputs, those of the first samples of this seed.
            steps: images from one to the next.
            labels: classes of a conditional model that go the same way side by side; by default the
                first one.
            truncation: of the inputs, as for `sample`.

        Returns:
            float32 (stops * steps, classes that go, height, width, channels) in [-1, 1].

        Raises:
            JaxgenError: as `sample` does, or memory does not hold them.
        """
        if stops < 2 or steps < 1:
            raise JaxgenError(f"stops must be at least 2 and steps 1, got {stops} and {steps}")
        label_K = np.zeros(1, int) if labels is None else self._checked_labels(labels)
        sampler = self._sampler
        _refuse_many(stops * steps * len(label_K), sampler.noise_size)
        stop_NZ = sampler.draw_noise(stops, seed, truncation)[:stops]
        shares = np.arange(steps, dtype=np.float32) / steps
        noise_NZ = sampler.between(stop_NZ, np.roll(stop_NZ, -1, axis=0), shares)
        images_NHWC = sampler.sample_from(
            self._weights,
            np.repeat(noise_NZ, len(label_K), axis=0),
            np.tile(label_K, len(noise_NZ)),
            seed,
            truncation,
        )
        return images_NHWC.reshape(len(noise_NZ), len(label_K), *images_NHWC.shape[1:])

    def evaluate(self) -> tuple[dict[str, Any], str]:
        """Sample quality against the training images: figures, and the same as a table.

        The figures are those of `jaxgen.metrics.samples.report.report`.
        """
        report = self._quality.report(self._weights)
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
        if not self.classes:
            raise JaxgenError("this model is not conditional: it takes no labels")
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
            raise JaxgenError("labels must be a list of whole numbers")
        if labels.min() < 0 or labels.max() >= self.classes:
            raise JaxgenError(
                f"labels must be from 0 to {self.classes - 1}, got {labels.min()} to {labels.max()}"
            )
        return labels


def _refuse_many(images: int, noise_size: int) -> None:
    refuse_too_much(3 * 4 * images * noise_size, f"the noise of {images} images", "draw fewer")
