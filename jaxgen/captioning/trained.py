"""A trained captioner, as `jaxgen.load` returns it."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import numpy as np

from jaxgen import settings
from jaxgen.captioning.decoding import Decoding
from jaxgen.captioning.exporting import exportable
from jaxgen.captioning.quality import CaptionQuality
from jaxgen.captioning.writing import Writer
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions import report as captions_report
from jaxgen.nn.placing import on_each_device
from jaxgen.nn.precision import plain
from jaxgen.training.checkpoints import refuse_misfit
from jaxgen.training.exporting.exportable import Exportable
from jaxgen.training.metrics_file import History
from jaxgen.training.task import Saved, Shown, TrainConfig


class TrainedCaptioner:
    """A trained captioner, ready to caption."""

    def __init__(
        self,
        config: TrainConfig,
        writer: Writer,
        feature_shape: tuple[int, ...],
        saved: Saved,
        quality: Callable[[], CaptionQuality],
    ) -> None:
        """Take the configuration, how it captions, what was saved, and how to measure it.

        Raises:
            JaxgenError: what was saved is not the state of a captioner, or one of another
                configuration.
        """
        if not isinstance(saved.state.get("params"), dict):
            raise JaxgenError(f"the checkpoint of step {saved.step} does not hold a captioner")
        shapes = writer.param_shapes(feature_shape)
        refuse_misfit(shapes, saved.state["params"], saved.step)
        self.config, self.vocabulary = config, writer.vocabulary
        self.feature_shape = feature_shape
        """Of one image's features."""
        self.module, self.params = plain(writer.module), on_each_device(saved.state["params"])
        """The Flax module that `Captioner.module` describes, and its parameters."""
        self._writer, self._saved, self._make_quality = writer, saved, quality

    @property
    def history(self) -> History:
        """Every metric of its run by name: steps int (S,) and values float (S,)."""
        return self._saved.history

    @property
    def images(self) -> int:
        """How many validation images there are to show."""
        return self._quality.images

    def caption(self, features: Any, seed: int = 0, **decoding: Any) -> list[str]:
        """Caption images.

        Args:
            features: of the images, floats (N, *feature_shape), of the kind it was trained on.
            seed: of sampling.
            **decoding: fields of `jaxgen.captioning.decoding.Decoding`, such as `beam=3`; greedy
                by default.

        Returns:
            N sentences, words separated by spaces.

        Raises:
            JaxgenError: features of another shape or not finite, or a number of `decoding` that
                makes no sense.
        """
        features = np.asarray(features)
        if features.shape[1:] != self.feature_shape or not features.size:
            expected = ", ".join(["N", *map(str, self.feature_shape)])
            raise JaxgenError(f"features must be ({expected}), got shape {features.shape}")
        if features.dtype.kind not in "fiu" or not np.isfinite(features).all():
            raise JaxgenError("features must be finite numbers")
        chosen = Decoding(**decoding)
        settings.check(chosen)
        features = features.astype(np.float32, copy=False)
        return self._writer.sentences(self.params, features, chosen, seed)

    def show(self, n: int = 8, seed: int = 0, **decoding: Any) -> Shown:
        """Pictures of `n` validation images with generated and true sentences, and the text."""
        chosen = Decoding(**decoding)
        settings.check(chosen)
        return self._quality.captioned(self.params, n, chosen, seed)

    def show_attention(
        self, n: int = 8, seed: int = 0, columns: int = 10, **decoding: Any
    ) -> np.ndarray:
        """A picture, uint8 (H, W, 3), of where each word looked in `n` validation images.

        Lines of `columns` words, 100 pixels a word.

        Raises:
            JaxgenError: the captioner has no more than one memory token.
        """
        chosen = Decoding(**decoding)
        settings.check(chosen)
        return self._quality.attended(self.params, n, chosen, seed, columns)

    def evaluate(self, java: bool = True) -> tuple[dict[str, Any], str]:
        """Loss, caption metrics and truth on validation images: figures, and the same as a table.

        Arguments and figures are those of `jaxgen.captioning.quality.CaptionQuality.report`.
        """
        report = self._quality.report(self.params, java)
        return report, captions_report.table(report)

    def exportable(self) -> Exportable:
        """What `jaxgen.training.exporting.folder.write` writes."""
        params = jax.tree.map(np.asarray, self.params)
        return exportable(self.config, self._writer, self.feature_shape, params, self._saved)

    @cached_property
    def _quality(self) -> CaptionQuality:
        return self._saved.with_data(self._make_quality)
