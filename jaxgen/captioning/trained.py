"""A trained captioner, as `jaxgen.load` gives it."""

from functools import cached_property
from typing import Any

import numpy as np

from jaxgen.captioning import quality as captioning_quality
from jaxgen.captioning.decoding import Decoding
from jaxgen.captioning.step import Captioning
from jaxgen.data.captions import course_files as coco
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions import report as captions_report
from jaxgen.training.task import Shown


class TrainedCaptioner:
    """A trained captioner, ready to caption."""

    def __init__(self, captioning: Captioning, params: Any):
        self.config, self.vocabulary = captioning.config, captioning.vocabulary
        self.feature_shape = captioning.feature_shape
        """Of one image's features."""
        self.module, self.params = captioning.module, params
        """The Flax module that `Captioner.module` describes, and its parameters."""
        self._captioning = captioning

    def caption(self, features: Any, seed: int = 0, **decoding: Any) -> list[str]:
        """Caption images.

        Args:
            features: of the images, floats (N, *feature_shape), of the kind it was trained on.
            seed: of sampling.
            **decoding: fields of `jaxgen.captioning.decoding.Decoding`, `beam=3` for one; greedy by default.

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
        chosen.validate()
        features = features.astype(np.float32, copy=False)
        return self._captioning.sentences(self.params, features, chosen, seed)

    def show(self, n: int = 8, seed: int = 0, **decoding: Any) -> Shown:
        """Pictures of `n` validation images with generated and true sentences, and the text."""
        chosen = Decoding(**decoding)
        chosen.validate()
        return self._judge.captioned(self.params, n, chosen, seed)

    def show_attention(
        self, n: int = 8, seed: int = 0, columns: int = 10, **decoding: Any
    ) -> np.ndarray:
        """A picture, uint8 (H, W, 3), of where in `n` validation images each word looked.

        Lines of `columns` words, 100 pixels a word.

        Raises:
            JaxgenError: the captioner has no more than one memory token.
        """
        chosen = Decoding(**decoding)
        chosen.validate()
        return self._judge.attended(self.params, n, chosen, seed, columns)

    def evaluate(self, java: bool = True) -> tuple[dict[str, Any], str]:
        """Loss, caption metrics and truth on validation images: figures, and the same as a table.

        Arguments and figures are those of `jaxgen.captioning.quality.Judge.report`.
        """
        report = self._judge.report(self.params, java)
        return report, captions_report.table(report)

    @cached_property
    def _judge(self) -> captioning_quality.Judge:
        data = coco.load(self.config.data)
        same = data.val.features.shape[1:] == self.feature_shape
        if not same or data.vocabulary.words != self.vocabulary.words:
            raise JaxgenError(
                f"{data.directory} holds other words or features than this captioner was trained on"
            )
        return captioning_quality.Judge(self._captioning, data)
