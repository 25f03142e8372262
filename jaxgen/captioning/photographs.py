"""Captions of photographs, by a captioner and the encoder that its run records.

N photographs, S side of the squares that the encoder sees.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.captioning.trained import Captioned, TrainedCaptioner
from jaxgen.data import picture_files
from jaxgen.data.photographs import encoding
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag


class PhotographCaptioner:
    """A trained captioner with what sees photographs for it.

    That is the encoder of its features, or the one that learnt with it from pixels.

    captioner = PhotographCaptioner(jaxgen.load("runs/s"))
    images = np.stack([captioner.prepared(Path("photo.jpg"))])
    sentences = captioner.caption(images).sentences
    """

    def __init__(self, trained: TrainedCaptioner, weights: Path | None = None) -> None:
        """Open the encoder that the captioner's run records.

        Args:
            trained: the captioner.
            weights: the encoder's file of weights; by default that of a package.

        Raises:
            JaxgenError: the run records no encoder, or the weights cannot be used or are others.
        """
        self._trained, self._encoding = trained, None
        if len(trained.feature_shape) == 3:
            if weights:
                raise JaxgenError(
                    f"{flag('weights')} {weights}: this captioner's encoder learnt with it, and "
                    "its weights are the run's"
                )
            return
        if not trained.feature_encoder.name:
            raise JaxgenError(
                "this captioner was not trained on features of an encoder of jaxgen's, so that "
                "photographs have none that it could read: train one on a set that `jaxgen "
                "captions build --features` made of a folder of `jaxgen features`"
            )
        self._encoding = encoding.reopened(trained.feature_encoder, weights)

    def prepared(self, file: Path | bytes) -> np.ndarray:
        """The square of a photograph that the encoder sees, uint8 (S, S, 3).

        Raises:
            JaxgenError: it is no picture that can be read.
        """
        try:
            if self._encoding is None:
                return picture_files.read(file, self._trained.feature_shape[0])
            return self._encoding.prepared(file)
        except JaxgenError:
            raise
        except Exception as error:  # foreign files make decoders raise nearly anything
            raise JaxgenError(picture_files.reason(error)) from error

    def features(self, image_NSSC: np.ndarray) -> np.ndarray:
        """What the captioner reads of prepared photographs: float vectors or grids, or themselves.

        Raises:
            JaxgenError: the numbers are not finite.
        """
        if self._encoding is None:
            return image_NSSC
        has_grid = len(self._trained.feature_shape) == 2
        found = self._encoding.features(image_NSSC, grid=has_grid)
        return found.vector_NF if found.grid_NLC is None else found.grid_NLC

    def caption(self, image_NSSC: np.ndarray, seed: int = 0, **decoding: Any) -> Captioned:
        """Captions of prepared photographs; see `TrainedCaptioner.caption_in_full`."""
        return self._trained.caption_in_full(self.features(image_NSSC), seed, **decoding)

    def attended(self, image_NSSC: np.ndarray, words_NL: np.ndarray, side: int = 160) -> np.ndarray:
        """A picture of where each word looked; see `TrainedCaptioner.attended`."""
        pictures: Sequence[np.ndarray] = list(image_NSSC)
        return self._trained.attended(self.features(image_NSSC), words_NL, pictures, side)
