"""A trained captioner, as `jaxgen.load` returns it."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen import settings
from jaxgen.captioning import attention_maps
from jaxgen.captioning.decoding import Decoding
from jaxgen.captioning.exporting import exportable
from jaxgen.captioning.one_caption import OneCaption, Way, write_one
from jaxgen.captioning.quality import CaptionQuality, ValidationImage
from jaxgen.captioning.writing import Writer
from jaxgen.data.photographs.identity import EncoderIdentity
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions import report as captions_report
from jaxgen.nn.placing import on_each_device
from jaxgen.nn.precision import plain
from jaxgen.training.checkpoints import refuse_misfit
from jaxgen.training.exporting.exportable import Exportable
from jaxgen.training.metrics_file import History
from jaxgen.training.task import Saved, Shown, TrainConfig


class Captioned(NamedTuple):
    """Captions of N images, of L words at most."""

    sentences: list[str]
    log_probability_N: np.ndarray
    """Of each, END included, float32."""
    words_NL: np.ndarray
    """Indices, int32."""


class TrainedCaptioner:
    """A trained captioner, ready to caption."""

    def __init__(
        self,
        config: TrainConfig,
        writer: Writer,
        feature_shape: tuple[int, ...],
        saved: Saved,
        quality: Callable[[], CaptionQuality],
        feature_encoder: EncoderIdentity = EncoderIdentity(),  # noqa: B008 - it is frozen
    ) -> None:
        """Take the configuration, how it captions, what was saved, and how to measure it.

        `feature_encoder` is the one that made the features it was trained on, if one did.

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
        self.feature_encoder = feature_encoder
        """Of photographs, whose features it reads; one without a name where there is none."""
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
            features: of the images, floats (N, *feature_shape), of the kind it was trained on;
                uint8 pictures (N, H, W, C) for one with an encoder.
            seed: of sampling.
            **decoding: fields of `jaxgen.captioning.decoding.Decoding`, such as `beam=3`; greedy
                by default.

        Returns:
            N sentences, words separated by spaces.

        Raises:
            JaxgenError: features of another shape or not finite, or a number of `decoding` that
                makes no sense.
        """
        chosen = Decoding(**decoding)
        settings.check(chosen)
        return self._writer.sentences(self.params, self._sound(features), chosen, seed)

    def caption_in_full(self, features: Any, seed: int = 0, **decoding: Any) -> Captioned:
        """The same as `caption`, with how probable each sentence is, and its words.

        Arguments and errors are those of `caption`.
        """
        chosen = Decoding(**decoding)
        settings.check(chosen)
        features = self._sound(features)
        words_NL = self._writer.words(self.params, features, chosen, seed)
        return Captioned(
            self.vocabulary.decode(words_NL),
            self._writer.log_probability(self.params, features, words_NL),
            words_NL,
        )

    def attended(
        self, features: Any, words_NL: np.ndarray, pictures: Sequence[np.ndarray], side: int = 96
    ) -> np.ndarray:
        """A picture of where each word of captions looked in pictures.

        Args:
            features: of N images, a grid of each.
            words_NL: their captions, as `caption_in_full` returns them.
            pictures: of the images, uint8 (H, W, 3).
            side: pixels of a word's copy.

        Returns:
            uint8 (height, width, 3).

        Raises:
            JaxgenError: the captioner cannot choose where to look.
        """
        return attention_maps.drawn(
            self._writer, self.params, self._sound(features), words_NL, pictures, True, side=side
        )

    def caption_one(self, features: Any, way: Way = Way(), has_grid: bool = True) -> OneCaption:  # noqa: B008 - it is frozen
        """One image's caption, soon after the first: other numbers of `way` compile nothing new.

        Args:
            features: of the image, as `caption` takes them of several, without their first axis.
            way: how the words are chosen.
            has_grid: whether its memory tokens may be a grid of the picture in reading order.

        Returns:
            The caption, with where its words looked.

        Raises:
            JaxgenError: as `caption` does.
        """
        settings.check(way)
        features_1 = self._sound(np.asarray(features)[None])
        return write_one(self._writer, self.params, features_1, way, has_grid)

    def pictured(self, n: int) -> list[ValidationImage]:
        """Those of `n` validation images, evenly spaced, whose pictures are there.

        Raises:
            JaxgenError: the data are not here.
        """
        return self._quality.pictured(n)

    def _sound(self, features: Any) -> np.ndarray:
        """Features as float32, pictures as they are, if they are such as it was trained on."""
        features = np.asarray(features)
        if features.shape[1:] != self.feature_shape or not features.size:
            expected = ", ".join(["N", *map(str, self.feature_shape)])
            raise JaxgenError(f"features must be ({expected}), got shape {features.shape}")
        if len(self.feature_shape) == 3:
            if features.dtype != np.uint8:
                raise JaxgenError(f"pictures must be uint8, 0 to 255, not {features.dtype}")
        elif features.dtype.kind not in "fiu" or not np.isfinite(features).all():
            raise JaxgenError("features must be finite numbers")
        return features if len(self.feature_shape) == 3 else features.astype(np.float32, copy=False)

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

    def results(self, seed: int = 0, **decoding: Any) -> list[tuple[int, str, str, list[str]]]:
        """Every validation image: number, place of the picture, caption, and the true ones."""
        chosen = Decoding(**decoding)
        settings.check(chosen)
        return self._quality.results(self.params, chosen, seed)

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
