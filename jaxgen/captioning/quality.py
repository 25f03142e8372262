"""What to look at while a captioner trains: captions beside their pictures, and their figures."""

import math
from functools import cached_property
from typing import Any

import numpy as np

from jaxgen.captioning import baseline as nearest_captioner
from jaxgen.captioning import losses
from jaxgen.captioning.decoding import Decoding
from jaxgen.captioning.step import Captioning, CaptionState
from jaxgen.data import fetch as pictures
from jaxgen.data.captions.course_files import Captions, Split
from jaxgen.data.scenes.rendering import Scene
from jaxgen.display import plots
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions import java as captions_java
from jaxgen.metrics.captions import report as captions_report
from jaxgen.metrics.truth import measure as truth
from jaxgen.training.task import Shown

PyTree = Any

_SHOWN = (
    "val_loss",
    "reproduced",
    "cider_d",
    "true",
    "true_1",
    "true_2",
    "true_3",
    "facts_true",
    "facts_told",
    "relations_true",
)


class Judge:
    """Shows and measures the captions of validation images."""

    def __init__(self, captioning: Captioning, data: Captions):
        self._captioning, self._data = captioning, data
        self._pictures: dict[int, np.ndarray | None] = {}

    @cached_property
    def _scenes(self) -> list[Scene]:
        """What is in the validation images; none where nobody wrote it down."""
        if self._captioning.config.data.name != "scenes":
            return []
        from jaxgen.data.scenes import build as scenes

        return scenes.load_scenes(self._data.directory, "val")

    def show(self, state: CaptionState) -> Shown:
        """Eight validation images with their greedy captions."""
        return self.captioned(state.params, 8, Decoding())

    def captioned(self, params: PyTree, n: int, decoding: Decoding, seed: int = 0) -> Shown:
        """Validation images, evenly spaced, with a generated and a true sentence each."""
        images = _spaced(self._data.val, n)
        made = self._captioning.sentences(
            params, self._data.val.features.gather(images), decoding, seed
        )
        right = [self._sentences_of(image)[0] for image in images]
        found, problems = zip(*(self._picture(image) for image in images), strict=True)
        lines = [f"{m or '(nothing)'}  |  {r}" for m, r in zip(made, right, strict=True)]
        text = "\n".join([*filter(None, problems), "generated  |  true", *lines])
        return Shown(plots.captioned(found, made, right), text)

    def attended(
        self, params: PyTree, n: int, decoding: Decoding, seed: int = 0, columns: int = 10
    ) -> np.ndarray:
        """A picture of where in validation images, evenly spaced, each generated word looked.

        Raises:
            JaxgenError: the captioner cannot choose where to look.
        """
        images = _spaced(self._data.val, n)
        features = self._data.val.features.gather(images)
        words_NL = self._captioning.words(params, features, decoding, seed)
        weights_NLM = self._captioning.attention(params, features, words_NL)
        if weights_NLM is None or weights_NLM.shape[2] == 1:
            raise JaxgenError(
                "this captioner has no more than one memory token to attend to; a Transformer "
                "trained on --data.features grid has several"
            )
        tokens = weights_NLM.shape[2]
        side = math.isqrt(tokens)
        is_grid = self._captioning.config.data.features == "grid" and side * side == tokens
        rows = []
        for image, words_L, weights_LM in zip(images, words_NL, weights_NLM, strict=True):
            # END may have looked somewhere too, and is the last word.
            words = self._data.vocabulary.tokens(words_L, markers=True)
            maps = weights_LM[: len(words)].reshape(
                len(words), *((side, side) if is_grid else (1, -1))
            )
            rows.append((self._picture(image)[0] if is_grid else None, words, maps))
        return plots.attended(rows, columns)

    def _picture(self, image: int) -> tuple[np.ndarray | None, str]:
        """The picture, and why there is none the first time that it is asked for."""
        problem = ""
        if image not in self._pictures:
            url = self._data.val.urls[image]
            self._pictures[image], problem = pictures.fetch(url, self._data.directory)
        return self._pictures[image], problem

    def _sentences_of(self, image: int) -> list[str]:
        captions = self._data.val.captions
        return self._data.vocabulary.decode(captions["captions"][captions["image_index"] == image])

    def evaluate(self, state: CaptionState) -> dict[str, float]:
        """The validation loss, CIDEr-D, and the main truth metrics where there are scenes."""
        figures = self._of_model(state.params) | self._of_captions(self._made(state.params))
        return {name: figures[name] for name in _SHOWN if name in figures}

    def report(self, params: PyTree, java: bool = True) -> dict[str, Any]:
        """All figures.

        Args:
            params: of the captioner.
            java: give also METEOR and SPICE, which take half a minute.

        Returns:
            `val_loss`, reduced as in training; `val_perplexity` of a word; where `max_train` limits
            the training captions, `reproduced`, the share of them that greedy decoding gives back
            word for word. Of the greedy captions of validation images those of
            `captions_report.measure`, of `captions_java.measure` where they can be had and, on
            scenes, of `truth.measure`. `nearest`, the figures of captions that `nearest_captioner`
            copies from training images. `notes`, sentences about what was found or is missing.
        """
        made = self._made(params)
        copied = nearest_captioner.sentences(
            self._data.train, self._data.vocabulary, self._data.val.features.gather(self._images)
        )
        comparable = captions_report.comparable(made)
        more, notes = captions_java.measure(comparable, self._references) if java else ({}, [])
        if len(made) > 1 and len(set(made)) == 1:
            notes.append(
                f"every image gets the same caption, {made[0]!r}: the captioner does not heed the "
                "features; train it for longer, or look at them"
            )
        return {
            **self._of_model(params),
            **self._of_captions(made),
            **more,
            "nearest": self._of_captions(copied),
            "notes": notes,
        }

    @cached_property
    def _images(self) -> np.ndarray:
        """The validation images that figures are of."""
        return _spaced(self._data.val, self._captioning.config.evaluate_images)

    @cached_property
    def _references(self) -> list[list[str]]:
        return [self._sentences_of(image) for image in self._images]

    def _made(self, params: PyTree) -> list[str]:
        features = self._data.val.features.gather(self._images)
        return self._captioning.sentences(params, features, Decoding())

    def _of_captions(self, made: list[str]) -> dict[str, float]:
        figures = captions_report.measure(made, self._references)
        if self._scenes:
            figures |= truth.measure(made, [self._scenes[image] for image in self._images])
        return figures

    def _of_model(self, params: PyTree) -> dict[str, float]:
        figures = self._loss(params)
        if self._captioning.config.data.max_train:
            figures["reproduced"] = self._reproduced(params)
        return figures

    def _loss(self, params: PyTree) -> dict[str, float]:
        val, null = self._data.val, self._data.vocabulary.null
        rows = np.flatnonzero(np.isin(val.captions["image_index"], self._images))
        captions_NT = val.captions["captions"][rows]
        features = val.features.gather(val.captions["image_index"][rows])
        loss_NT = self._captioning.losses(params, features, captions_NT)
        by_word = losses.mean_over_tokens(loss_NT, captions_NT[:, 1:], null)
        loss = self._captioning.config.loss(loss_NT, captions_NT[:, 1:], null)
        return {"val_loss": float(loss), "val_perplexity": float(np.exp(by_word))}

    def _reproduced(self, params: PyTree) -> float:
        train, n = self._data.train, self._captioning.config.evaluate_images
        right = self._data.vocabulary.decode(train.captions["captions"][:n])
        features = train.features.gather(train.captions["image_index"][:n])
        made = self._captioning.sentences(params, features, Decoding())
        return float(np.mean([m == r for m, r in zip(made, right, strict=True)]))


def _spaced(split: Split, n: int) -> np.ndarray:
    """Up to `n` images that have captions, evenly spaced."""
    images = np.unique(split.captions["image_index"])
    return images[np.linspace(0, len(images) - 1, min(n, len(images))).astype(int)]
