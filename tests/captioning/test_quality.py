"""What is measured of a captioner, with a captioner that says what it is told to."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxgen.captioning import baseline as nearest_captioner
from jaxgen.captioning.losses import sum_over_time
from jaxgen.captioning.quality import Judge
from jaxgen.data.captions.course_files import Captions, CaptionsConfig, Features, Split
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.scenes import build as scenes
from jaxgen.data.scenes.rendering import COLOURS, Digit
from jaxgen.metrics.captions import java as captions_java
from jaxgen.metrics.captions import report as captions_report
from jaxgen.metrics.captions import scores as captions

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
    return Split(rows, Features(Path(), array.shape, array), [])


class Captioning:
    """Its parameters are the captions that it gives to the validation images."""

    def __init__(self, data_name="coco", evaluate_images=10):
        data = CaptionsConfig(name=data_name)
        self.config = SimpleNamespace(
            data=data, evaluate_images=evaluate_images, loss=sum_over_time
        )

    def sentences(self, params, features, decoding, seed=0):
        return params[: len(features)]

    def losses(self, params, features, captions_NT):
        return np.ones(captions_NT[:, 1:].shape, np.float32)


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.setattr(scenes, "load_scenes", lambda directory, which: SCENES)
    monkeypatch.setattr(captions_java, "measure", lambda made, references: ({"meteor": 0.5}, []))

    def build(**options):
        val = split(
            [sentence for some in TRUE for sentence in some],
            [image for image, some in enumerate(TRUE) for _ in some],
            [[0, 1], [1, 0], [1, 0.5]],
        )
        train = split(COPIED, [0, 1], [[1, 0], [0, 1]])
        return Judge(Captioning(**options), Captions(train, val, VOCABULARY, Path()))

    return build


MADE = ["a red 3", "a blue 7", "a blue 7"]


def test_the_report_has_the_model_and_the_nearest_neighbour(judge):
    report = judge().report(MADE)
    agreement = captions.measure(MADE, TRUE)
    assert {name: report[name] for name in agreement} == pytest.approx(agreement)
    assert report["repeated"] == pytest.approx(2 / 3)
    assert report["meteor"] == 0.5
    copied = captions.measure(["a red 3", "a blue 7", "a blue 7"], TRUE)
    assert {name: report["nearest"][name] for name in copied} == pytest.approx(copied)
    assert report["notes"] == []
    assert "true" not in report
    assert "BLEU-4" in captions_report.table(report)


def test_on_scenes_truth_is_measured_of_both(judge):
    report = judge(data_name="scenes").report(["a red 3", "a blue 7", "a red 7"])
    assert report["true"] == 1
    assert report["nearest"]["true"] == pytest.approx(2 / 3)
    lines = [line.split() for line in captions_report.table(report).splitlines()]
    assert ["entirely", "true", "100.0%", "66.7%"] in lines


def test_evaluation_in_training_is_short_and_starts_nothing_slow(judge, monkeypatch):
    def never(*args):
        raise AssertionError

    monkeypatch.setattr(captions_java, "measure", never)
    monkeypatch.setattr(nearest_captioner, "sentences", never)
    figures = judge().evaluate(SimpleNamespace(params=MADE))
    assert set(figures) == {"val_loss", "cider_d"}
    assert figures["cider_d"] == captions.cider_d(MADE, TRUE)


def test_one_caption_for_every_image_is_pointed_out(judge):
    (note,) = judge().report(["a 7", "a 7", "a 7"])["notes"]
    assert note.startswith("every image gets the same caption, 'a 7'")
    assert judge(evaluate_images=1).report(["a 7"])["notes"] == []


def test_figures_are_of_as_many_images_as_asked(judge):
    report = judge(evaluate_images=2).report(["a red 3", "a large 7"])
    figures = captions.measure(["a red 3", "a large 7"], [TRUE[0], TRUE[2]])
    assert report["cider_d"] == pytest.approx(figures["cider_d"])
