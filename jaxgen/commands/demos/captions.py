"""What a page shows of a captioner: a picture and settings in, HTML out.

N pictures, S side of the squares that an encoder sees, L words.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgen.captioning.one_caption import OneCaption, Way
from jaxgen.captioning.photographs import PhotographCaptioner
from jaxgen.captioning.quality import ValidationImage
from jaxgen.captioning.trained import TrainedCaptioner
from jaxgen.commands.demos import markup
from jaxgen.display import plots
from jaxgen.errors import JaxgenError
from jaxgen.settings.notes import note

PICTURES = 12
"""Bundled ones: validation images of the run."""
_MOST_WORDS = 64  # that are shown with where they looked
_SIDE = 112  # pixels of a word's picture


class CaptionPlayer:
    """A captioner, the pictures that come with it, and whether it takes others."""

    def __init__(self, trained: TrainedCaptioner, weights: Path | None = None) -> None:
        """Find its pictures, and what sees photographs for it.

        Args:
            trained: the captioner.
            weights: the file of the encoder that its run records, where no package brings it.

        Raises:
            JaxgenError: it has neither; or `weights` were given and cannot be used.
        """
        self._trained = trained
        self._photographs: PhotographCaptioner | None = None
        self.pictures: Sequence[ValidationImage] = ()
        """Those that come with it."""
        reasons = []
        try:
            self._photographs = PhotographCaptioner(trained, weights)
        except JaxgenError as error:
            if weights:
                raise
            reasons.append(str(error))
        try:
            self.pictures = trained.pictured(PICTURES)
        except JaxgenError as error:
            reasons.append(str(error))
            if self._photographs:
                note(f"there are no pictures to choose from: {error}")
        if not self._photographs and not self.pictures:
            raise JaxgenError(
                "there is nothing that this captioner could caption here: "
                + "; ".join(reasons or ["none of its validation images has a picture"])
            )

    @property
    def takes_photographs(self) -> bool:
        """Whether there is an encoder for pictures of a user's own."""
        return self._photographs is not None

    def bundled(self, number: int, way: Way) -> str:
        """The caption of one of `pictures`.

        Raises:
            JaxgenError: there is no such picture, or the settings make no sense.
        """
        if not 0 <= number < len(self.pictures):
            raise JaxgenError(f"there is no picture {number}: choose one of {len(self.pictures)}")
        chosen = self.pictures[number]
        made = self._trained.caption_one(chosen.features, way, chosen.has_grid)
        return _answer(chosen.picture, made, chosen.true)

    def uploaded(self, file: bytes, way: Way) -> str:
        """The caption of a picture, of which these are the bytes of the file.

        Raises:
            JaxgenError: it is no picture that can be read, photographs cannot be captioned, or the
                settings make no sense.
        """
        if self._photographs is None:
            raise JaxgenError("this captioner takes none but its own pictures")
        try:
            square_SSC = self._photographs.prepared(file)
        except JaxgenError as error:
            raise JaxgenError(f"This file cannot be captioned: {error}.") from error
        features = self._photographs.features(square_SSC[None])[0]
        return _answer(square_SSC, self._trained.caption_one(features, way))


def _answer(picture: np.ndarray, made: OneCaption, true: str = "") -> str:
    sentence = made.sentence or "(nothing)"
    parts = [
        markup.picture(picture, f"a picture, of which the model says: {sentence}", "seen"),
        markup.paragraph(sentence, "sentence"),
        markup.paragraph(f"log-probability {made.log_probability:.2f}", "small"),
    ]
    if true:
        parts.append(markup.paragraph(f"The data say: {true}", "small"))
    if made.attention is not None:
        shown = _square(picture)
        pairs = zip(made.words[:_MOST_WORDS], made.attention, strict=False)
        parts.append(markup.paragraph("Where each word looked", "small"))
        parts.append(markup.words([(word, plots.lit(shown, looked)) for word, looked in pairs]))
    return markup.answer(*parts)


def _square(picture: np.ndarray) -> np.ndarray:
    from PIL import Image

    near = Image.Resampling.NEAREST if max(picture.shape[:2]) < _SIDE else None
    return np.asarray(Image.fromarray(picture).resize((_SIDE, _SIDE), near))
