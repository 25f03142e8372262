"""What is measured of a captioner, with a captioner that says what it is told to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxgen.captioning import baseline
from jaxgen.captioning.losses import sum_over_time
from jaxgen.captioning.quality import CaptionQuality
from jaxgen.data.captions.base import CaptionData, Features, Split
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.scenes.rendering import COLOURS, Digit
from jaxgen.metrics.captions import java as captions_java
from jaxgen.metrics.captions import report as captions_report
from jaxgen.metrics.captions.cider import cider

RED, BLUE = (list(COLOURS).index(name) for name in ("red", "blue"))
SCENES = [(Digit(3, RED, 0, 0, 0),), (Digit(7, BLUE, 1, 1, 1),), (Digit(7, RED, 1, 1, 1),)]
TRUE = [["a red 3", "a small 3"], ["a blue 7"], ["a red 7", "a large 7", "there is a red 7"]]
COPIED = ["a blue 7", "a red 3"]  # the training captions, whose features are of images 1 and 0
VOCABULARY = Vocabulary.of_sentences([s for some in TRUE for s in some], 1)


def split(sentences, images, features):
    rows = {
        "captions": np.stack([VOCABULARY.encode(sentence, 8) for sentence in sentences]),
        "image_index": np.array(images),
    }
    array = np.array(features, np.float32)
    return Split(rows, Features.of(array), [])


class Writer:
    """Its parameters are the captions that it gives to the validation images."""

    def sentences(self, params, features, decoding, seed=0):
        return params[: len(features)]

    def losses(self, params, features, captions_NT):
        return np.ones(captions_NT[:, 1:].shape, np.float32)


@pytest.fixture
def quality(monkeypatch):
    monkeypatch.setattr(captions_java, "measure", lambda made, references: ({"meteor": 0.5}, []))

    def build(facts=None, evaluate_images=10):
        held_out = split(
            [sentence for some in TRUE for sentence in some],
            [image for image, some in enumerate(TRUE) for _ in some],
            [[0, 1], [1, 0], [1, 0.5]],
        )
        train = split(COPIED, [0, 1], [[1, 0], [0, 1]])
        data = CaptionData(train, held_out, VOCABULARY, Path(), facts=facts)
        return CaptionQuality(Writer(), data, sum_over_time, evaluate_images, reproduce=False)

    return build


MADE = ["a red 3", "a blue 7", "a blue 7"]


def test_the_report_has_the_model_and_the_nearest_neighbour(quality):
    report = quality().report(MADE)
    agreement = captions_report.measure(MADE, TRUE)
    assert {name: report[name] for name in agreement} == pytest.approx(agreement)
    assert report["repeated"] == pytest.approx(2 / 3)
    assert report["meteor"] == 0.5
    copied = captions_report.measure(["a red 3", "a blue 7", "a blue 7"], TRUE)
    assert {name: report["nearest"][name] for name in copied} == pytest.approx(copied)
    assert report["notes"] == []
    assert "true" not in report
    assert "BLEU-4" in captions_report.table(report)


def test_on_scenes_truth_is_measured_of_both(quality):
    report = quality(facts=SCENES).report(["a red 3", "a blue 7", "a red 7"])
    assert report["true"] == 1
    assert report["nearest"]["true"] == pytest.approx(2 / 3)
    lines = [line.split() for line in captions_report.table(report).splitlines()]
    assert ["entirely", "true", "100.0%", "66.7%"] in lines


def test_evaluation_in_training_is_short_and_starts_nothing_slow(quality, monkeypatch):
    def never(*args):
        raise AssertionError

    monkeypatch.setattr(captions_java, "measure", never)
    monkeypatch.setattr(baseline, "sentences", never)
    figures = quality().evaluate(MADE)
    assert set(figures) == {"validation_loss", "cider_d"}
    assert figures["cider_d"] == cider(MADE, TRUE)


def test_one_caption_for_every_image_is_pointed_out(quality):
    (note,) = quality().report(["a 7", "a 7", "a 7"])["notes"]
    assert note.startswith("every image gets the same caption, 'a 7'")
    assert quality(evaluate_images=1).report(["a 7"])["notes"] == []


def test_figures_are_of_as_many_images_as_asked(quality):
    report = quality(evaluate_images=2).report(["a red 3", "a large 7"])
    figures = captions_report.measure(["a red 3", "a large 7"], [TRUE[0], TRUE[2]])
    assert report["cider_d"] == pytest.approx(figures["cider_d"])


def test_fewer_images_than_asked_for_are_said(quality, capsys):
    quality(evaluate_images=4).evaluate(MADE)
    told = "note: evaluate_images 4: there are 3 validation images, all are measured\n"
    assert capsys.readouterr().err == told
    quality(evaluate_images=3).evaluate(MADE)
    assert capsys.readouterr().err == ""


class Looker(Writer):
    """Chooses the words that it is told to, each of which looked at the place of its number."""

    module = None

    def __init__(self, tokens):
        self.tokens = tokens

    def words(self, params, features, decoding, seed=0):
        return np.stack([VOCABULARY.encode(sentence, 8)[1:] for sentence in params])

    def attention(self, params, features, words_NL):
        return np.tile(np.eye(7, self.tokens, dtype=np.float32), (len(words_NL), 1, 1))


@pytest.mark.parametrize(
    ("tokens", "has_grid", "is_map"), [(4, True, True), (4, False, False), (3, True, False)]
)
def test_shown_captions_come_word_by_word_with_where_they_looked(
    quality, monkeypatch, tokens, has_grid, is_map
):
    measured = quality()
    monkeypatch.setattr(measured, "_writer", Looker(tokens))
    monkeypatch.setattr(measured, "_data", replace(measured._data, has_grid=has_grid))
    picture = np.zeros((8, 8, 3), np.uint8)
    monkeypatch.setattr(measured, "_picture", lambda image: (picture, ""))
    captions = measured.show(["a red 3", "", "a blue 7"]).captions
    assert [caption.words for caption in captions] == [("a", "red", "3"), (), ("a", "blue", "7")]
    assert [caption.true for caption in captions] == ["a red 3", "a blue 7", "a red 7"]
    assert [caption.image for caption in captions] == [0, 1, 2]
    assert captions[0].joined_by == " "
    assert captions[1].attention is None
    if is_map:
        assert captions[0].attention.shape == (3, 2, 2)
        assert captions[0].attention[1].tolist() == [[0, 1], [0, 0]]
    else:
        assert captions[0].attention is None
