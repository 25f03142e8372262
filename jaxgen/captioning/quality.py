"""What to look at while a captioner trains: captions beside their pictures, and their figures.

N captions, T time, L words of a generated caption, M memory tokens.
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from jaxgen.captioning import attention_maps, baseline, losses
from jaxgen.captioning.decoding import Decoding
from jaxgen.captioning.losses import Reduction
from jaxgen.captioning.writing import Writer
from jaxgen.data import fetch
from jaxgen.data.captions.base import CaptionData, Split
from jaxgen.display import plots
from jaxgen.metrics.captions import java as captions_java
from jaxgen.metrics.captions import report as captions_report
from jaxgen.metrics.captions.base import CaptionMetric
from jaxgen.metrics.truth import measure as truth
from jaxgen.metrics.truth import ranking
from jaxgen.settings import flag
from jaxgen.settings.notes import note
from jaxgen.training.task import Shown, ShownCaption

PyTree = Any

_SHOWN = (
    "validation_loss",
    "reproduced",
    "true_1",
    "true_2",
    "true_3",
    "facts_true",
    "relations_true",
    "with_relation",
)

_AT_ONCE = 1024  # images whose features are in memory together
_MOST_MISSING = 3  # pictures, after which no more are asked for


class ValidationImage(NamedTuple):
    """One that can be shown, with what the captioner reads of it."""

    picture: np.ndarray
    """uint8 (H, W, 3)."""
    features: np.ndarray
    """Floats, or uint8 of pictures, of the captioner's `feature_shape`."""
    true: str
    """A sentence that is right."""
    has_grid: bool
    """Whether its memory tokens may be a grid in reading order."""


class CaptionQuality:
    """The captions of validation images, shown and measured."""

    def __init__(
        self,
        writer: Writer,
        data: CaptionData,
        loss: Reduction,
        evaluate_images: int,
        reproduce: bool,
    ) -> None:
        """Take the way the captioner captions, and what it is compared with.

        Args:
            writer: of the captioner.
            data: its captions.
            loss: that it is trained with.
            evaluate_images: how many validation images are measured.
            reproduce: whether to measure the share of training captions that it reproduces.
        """
        self._writer, self._data, self._loss_of = writer, data, loss
        self._evaluate_images, self._reproduce = evaluate_images, reproduce
        self._pictures: dict[int, np.ndarray | None] = {}

    @property
    def images(self) -> int:
        """How many validation images have captions."""
        return len(np.unique(self._data.validation.captions["image_index"]))

    def show(self, params: PyTree) -> Shown:
        """Eight validation images with their greedy captions."""
        return self.captioned(params, 8, Decoding())

    def captioned(self, params: PyTree, n: int, decoding: Decoding, seed: int = 0) -> Shown:
        """Validation images, evenly spaced, with a generated and a true sentence each."""
        images = _spaced(self._data.validation, n)
        features = self._data.validation.features.gather(images)
        words_NL = self._writer.words(params, features, decoding, seed)
        made = self._data.vocabulary.decode(words_NL)
        right = [self._sentences_of(image)[0] for image in images]
        found, problems = zip(*(self._picture(image) for image in images), strict=True)
        lines = [f"{m or '(nothing)'}  |  {r}" for m, r in zip(made, right, strict=True)]
        text = "\n".join([*filter(None, problems), "generated  |  true", *lines])
        maps = attention_maps.maps(self._writer, params, features, words_NL, self._data.has_grid)
        joined_by = " " if self._data.vocabulary.units == "words" else ""
        captions = []
        for image, picture, words_L, true, of_image in zip(
            images, found, words_NL, right, maps, strict=True
        ):
            words = tuple(self._data.vocabulary.tokens(words_L))
            looked = None if of_image is None else of_image[: len(words)]
            looked = looked if words else None
            captions.append(ShownCaption(int(image), picture, words, joined_by, true, looked))
        return Shown(plots.captioned(found, made, right), text, tuple(captions))

    def pictured(self, n: int) -> list[ValidationImage]:
        """Those of `n` validation images, evenly spaced, whose pictures are there."""
        found, missing = [], 0
        for image in _spaced(self._data.validation, n):
            picture, problem = self._picture(image)
            if picture is not None:
                features = self._data.validation.features.gather(np.array([image]))[0]
                true = self._sentences_of(image)[0]
                found.append(ValidationImage(picture, features, true, self._data.has_grid))
            elif problem:
                note(problem)
                missing += 1
            if missing == _MOST_MISSING:  # each may have waited for a network
                break
        return found

    def attended(
        self, params: PyTree, n: int, decoding: Decoding, seed: int = 0, columns: int = 10
    ) -> np.ndarray:
        """A picture of where each generated word looked in validation images, evenly spaced.

        Raises:
            JaxgenError: the captioner cannot choose where to look.
        """
        images = _spaced(self._data.validation, n)
        features = self._data.validation.features.gather(images)
        words_NL = self._writer.words(params, features, decoding, seed)
        pictures = [self._picture(image)[0] for image in images]
        return attention_maps.drawn(
            self._writer, params, features, words_NL, pictures, self._data.has_grid, columns
        )

    def results(
        self, params: PyTree, decoding: Decoding, seed: int = 0
    ) -> list[tuple[int, str, str, list[str]]]:
        """Every validation image: number, place of the picture, caption, and the true ones."""
        images = _spaced(self._data.validation, self.images)
        features = self._data.validation.features
        made = [
            sentence
            for start in range(0, len(images), _AT_ONCE)
            for sentence in self._writer.sentences(
                params, features.gather(images[start : start + _AT_ONCE]), decoding, seed + start
            )
        ]
        index = self._data.validation.captions["image_index"]
        rows = np.split(
            np.argsort(index, kind="stable"), np.searchsorted(np.sort(index), images[1:])
        )
        true = self._data.vocabulary.decode(self._data.validation.captions["captions"])
        places = self._data.validation.urls
        return [
            (int(image), places[int(image)], sentence, [true[row] for row in its])
            for image, sentence, its in zip(images, made, rows, strict=True)
        ]

    def _picture(self, image: int) -> tuple[np.ndarray | None, str]:
        """The picture, or None; and, the first time that it is asked for, why there is none."""
        problem = ""
        if image not in self._pictures:
            url = self._data.validation.urls[image]
            self._pictures[image], problem = fetch.fetch(url, self._data.directory)
        return self._pictures[image], problem

    def _sentences_of(self, image: int) -> list[str]:
        captions = self._data.validation.captions
        return self._data.vocabulary.decode(captions["captions"][captions["image_index"] == image])

    def evaluate(self, params: PyTree) -> dict[str, float]:
        """The validation loss, the main truth metrics of scenes, and what is declared for runs."""
        made = self._made(params)
        figures = self._of_model(params) | self._of_captions(made, while_training=True)
        declared = [metric.key for metric in CaptionMetric.ordered() if metric.while_training]
        return {name: figures[name] for name in [*_SHOWN, *declared] if name in figures}

    def report(self, params: PyTree, java: bool = True) -> dict[str, Any]:
        """All figures.

        Args:
            params: of the captioner.
            java: also measure METEOR and SPICE, which take half a minute.

        Returns:
            `validation_loss`, reduced as in training; `validation_perplexity` of a word; where the
            training captions are limited, `reproduced`, the share of them that greedy decoding
            reproduces word for word; on scenes those of `ranking.shares`. Of the greedy captions
            of validation images those of `captions_report.measure`, of `captions_java.measure`
            where it is available and, on scenes, of `truth.measure`. `nearest`, the figures of
            captions that `baseline` copies from training images. `notes`, sentences about what was
            found or is missing.
        """
        made = self._made(params)
        copied = baseline.sentences(
            self._data.train,
            self._data.vocabulary,
            self._data.validation.features.gather(self._images),
        )
        comparable = captions_report.comparable(made)
        more, notes = captions_java.measure(comparable, self._references) if java else ({}, [])
        if len(made) > 1 and len(set(made)) == 1:
            notes.append(
                f"every image gets the same caption, {made[0]!r}: the captioner ignores the "
                "features; train it for longer, or look at them"
            )
        return {
            **self._of_model(params),
            **self._ranked(params),
            **self._of_captions(made),
            **more,
            "nearest": self._of_captions(copied),
            "notes": notes,
        }

    @cached_property
    def _images(self) -> np.ndarray:
        """The validation images that are measured."""
        if self._evaluate_images > self.images:
            note(
                f"{flag('evaluate_images')} {self._evaluate_images}: there are {self.images} "
                "validation images, all are measured"
            )
        return _spaced(self._data.validation, self._evaluate_images)

    @cached_property
    def _references(self) -> list[list[str]]:
        return [self._sentences_of(image) for image in self._images]

    def _made(self, params: PyTree) -> list[str]:
        features = self._data.validation.features.gather(self._images)
        return self._writer.sentences(params, features, Decoding())

    def _of_captions(self, made: list[str], while_training: bool = False) -> dict[str, float]:
        figures = captions_report.measure(made, self._references, while_training=while_training)
        if self._data.facts is not None:
            figures |= truth.measure(made, [self._data.facts[image] for image in self._images])
        return figures

    def _of_model(self, params: PyTree) -> dict[str, float]:
        figures = self._loss(params)
        if self._reproduce:
            figures["reproduced"] = self._reproduced(params)
        return figures

    def _loss(self, params: PyTree) -> dict[str, float]:
        held_out, null = self._data.validation, self._data.vocabulary.null
        rows = np.flatnonzero(np.isin(held_out.captions["image_index"], self._images))
        captions_NT = held_out.captions["captions"][rows]
        features = held_out.features.gather(held_out.captions["image_index"][rows])
        loss_NT = self._writer.losses(params, features, captions_NT)
        by_word = losses.mean_over_tokens(loss_NT, captions_NT[:, 1:], null)
        loss = self._loss_of(loss_NT, captions_NT[:, 1:], null)
        return {"validation_loss": float(loss), "validation_perplexity": float(np.exp(by_word))}

    def _ranked(self, params: PyTree) -> dict[str, float]:
        """How often a true sentence is likelier than one with something exchanged, on scenes."""
        facts = self._data.facts
        if facts is None:
            return {}
        vocabulary, length = (
            self._data.vocabulary,
            self._data.validation.captions["captions"].shape[1],
        )
        found, tokens = [], []
        for pair in ranking.pairs([facts[image] for image in self._images]):
            both = (pair.true, pair.exchanged)
            units = [len(s.split() if vocabulary.units == "words" else s) for s in both]
            if max(units) <= length - 2:  # in characters some are longer than any caption
                found.append(pair)
                tokens.append([vocabulary.encode(sentence, length) for sentence in both])
        if not found:
            return {}
        rows = self._images[[pair.scene for pair in found]]
        features = np.repeat(self._data.validation.features.gather(rows), 2, axis=0)
        loss_NT = self._writer.losses(params, features, np.concatenate(tokens))
        loss_P2 = loss_NT.sum(axis=1, dtype=np.float64).reshape(-1, 2)
        return ranking.shares(found, loss_P2[:, 1] - loss_P2[:, 0])

    def _reproduced(self, params: PyTree) -> float:
        train, n = self._data.train, self._evaluate_images
        right = self._data.vocabulary.decode(train.captions["captions"][:n])
        features = train.features.gather(train.captions["image_index"][:n])
        made = self._writer.sentences(params, features, Decoding())
        return float(np.mean([m == r for m, r in zip(made, right, strict=True)]))


def _spaced(split: Split, n: int) -> np.ndarray:
    """Up to `n` images that have captions, evenly spaced."""
    images = np.unique(split.captions["image_index"])
    return images[np.linspace(0, len(images) - 1, min(n, len(images))).astype(int)]
