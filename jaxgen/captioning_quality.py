"""What to look at while a captioner trains: captions beside their pictures, loss and truth."""

from functools import cached_property
from typing import Any

import numpy as np

from jaxgen import losses, plots
from jaxgen.captioning import Captioning, CaptionState
from jaxgen.data import pictures
from jaxgen.data.coco import Captions, Split
from jaxgen.data.scene_rendering import Scene
from jaxgen.decoding import Decoding
from jaxgen.metrics import truth
from jaxgen.task import Shown

PyTree = Any

_SHOWN = (
    "reproduced",
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
        from jaxgen.data import scenes

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
        """The validation loss, and the main truth metrics where there are scenes."""
        report = self.report(state.params)
        return {name: report[name] for name in ("val_loss", *_SHOWN) if name in report}

    def report(self, params: PyTree) -> dict[str, float]:
        """All figures.

        Returns:
            `val_loss`, reduced as in training; `val_perplexity` of a word; on scenes those of
            `truth.measure` for greedy captions; and where `max_train` limits the training captions,
            `reproduced`, the share of them that greedy decoding gives back word for word.
        """
        val, n = self._data.val, self._captioning.config.evaluate_images
        images = _spaced(val, n)
        rows = np.flatnonzero(np.isin(val.captions["image_index"], images))
        report = self._loss(params, rows)
        if self._scenes:
            made = self._captioning.sentences(params, val.features.gather(images), Decoding())
            report |= truth.measure(made, [self._scenes[image] for image in images])
        if self._captioning.config.data.max_train:
            report["reproduced"] = self._reproduced(params, n)
        return report

    def _loss(self, params: PyTree, rows: np.ndarray) -> dict[str, float]:
        val, null = self._data.val, self._data.vocabulary.null
        captions_NT = val.captions["captions"][rows]
        features = val.features.gather(val.captions["image_index"][rows])
        loss_NT = self._captioning.losses(params, features, captions_NT)
        by_word = losses.mean_over_tokens(loss_NT, captions_NT[:, 1:], null)
        loss = self._captioning.config.loss(loss_NT, captions_NT[:, 1:], null)
        return {"val_loss": float(loss), "val_perplexity": float(np.exp(by_word))}

    def _reproduced(self, params: PyTree, n: int) -> float:
        train = self._data.train
        right = self._data.vocabulary.decode(train.captions["captions"][:n])
        features = train.features.gather(train.captions["image_index"][:n])
        made = self._captioning.sentences(params, features, Decoding())
        return float(np.mean([m == r for m, r in zip(made, right, strict=True)]))


def table(report: dict[str, float]) -> str:
    """The figures of `Judge.report` as lines of text."""
    names = ("val_loss", "val_perplexity", "reproduced")
    lines = [f"{name:15}{report[name]:8.3f}" for name in names if name in report]
    return "\n".join(lines + ([truth.table(report)] if "true" in report else []))


def _spaced(split: Split, n: int) -> np.ndarray:
    """Up to `n` images that have captions, evenly spaced."""
    images = np.unique(split.captions["image_index"])
    return images[np.linspace(0, len(images) - 1, min(n, len(images))).astype(int)]
