"""The report of samples, its table and its alarms, with metrics of jaxgen and of the user's own."""

import dataclasses
import json

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.classifier import Classifier
from jaxgen.metrics.samples.frechet import frechet_distance
from jaxgen.metrics.samples.report import alarms, report, table, while_training

OWN = """
from jaxgen.metrics.samples.base import SampleMetric

def brightness(real, fake):
    return fake.images.mean() - real.images.mean()

brighter = SampleMetric(
    "brighter", "brighter by", "closer to the floor", brightness,
    scale=100, while_training=True, alarm_below=-0.5, alarm="samples are too dark",
)
"""


GOLDEN = {
    "fid": [0.117134513705, 0.128144365895, 0.106466184464],
    "kid": [-0.0049712548985, -0.0052416343873, -0.00296023158734],
    "kid_std": [0.0102246433748, 0.00963589007096, 0.0114075230461],
    "precision": [1.0, 1.0, 0.833333333333],
    "recall": [0.433333333333, 0.5, 0.833333333333],
    "classifier_score": [1.01028042909, 1.01028042909, 1.02344754339],
    "class_imbalance": [0.1, 0.133333333333, 0.133333333333],
    "diversity": [0.661825060305, 0.658013566694, 0.988091223248],
    "label_agreement": [0.233333333333, 0.233333333333, 0.4],
}


@dataclasses.dataclass(frozen=True)
class FirstPixels(Classifier):
    """In place of the CNN: the first 6 pixels are the features, the first 3 the logits."""

    name: str = "pixels"
    params: None = None

    def features_and_logits(self, images):
        flat = np.asarray(images).reshape(len(images), -1)
        return flat[:, :6], flat[:, :3]


def images(n, seed, scale=0.3):
    return np.random.default_rng(seed).normal(scale=scale, size=(n, 28, 28, 1)).clip(-1, 1)


def guesses(images):
    return images.reshape(len(images), -1)[:, :3].argmax(1)


def test_report_of_samples_as_good_as_data_is_at_its_floor():
    result = report(images(800, 0), images(400, 1), FirstPixels())
    assert result["images"] == {"real": 800, "fake": 400, "matched": 400}
    assert abs(result["fid"]["matched"] - result["fid"]["floor"]) < 0.01
    assert result["fid"]["floor"] < 0.02
    assert abs(result["kid"]["value"]) < 3 * result["kid_std"]["value"]
    assert result["precision"]["matched"] > 0.9 < result["recall"]["matched"]
    assert abs(result["diversity"]["matched"] - 1) < 0.01
    assert "label_agreement" not in result


def test_report_of_worse_samples_is_far_from_the_floor():
    result = report(images(200, 0), images(200, 1, scale=0.05), FirstPixels())
    assert result["fid"]["matched"] > 10 * result["fid"]["floor"]
    assert result["recall"]["matched"] < 0.3 < result["recall"]["floor"]
    assert result["diversity"]["value"] < 0.25


def test_figures_and_their_order_are_those_of_version_0_1_0():
    """The numbers are what version 0.1.0 gave for these images."""
    real, fake = images(60, 0), images(30, 1, scale=0.2)
    result = report(
        real, fake, FirstPixels(), np.arange(30) % 3, seed=2, real_labels=np.arange(60) % 3
    )
    figures = {key: columns for key, columns in result.items() if key in GOLDEN}
    assert list(figures) == list(GOLDEN)
    for key, columns in figures.items():
        assert list(columns.values()) == pytest.approx(GOLDEN[key], rel=1e-9), key


def test_report_repeats_with_its_seed_and_shuffles_sorted_data():
    real, fake = images(60, 0), images(20, 1)
    real = real[np.argsort(real[:, 0, 0, 0])]
    first = report(real, fake, FirstPixels(), seed=5)
    assert first == report(real, fake, FirstPixels(), seed=5)
    assert first["fid"]["floor"] != report(real, fake, FirstPixels())["fid"]["floor"]
    halves = frechet_distance(*real.reshape(2, 30, -1)[..., :6])
    assert first["fid"]["floor"] < halves


def test_report_with_labels_and_its_table():
    real, fake = images(40, 0), images(20, 1)
    labels = guesses(fake)
    labels[:5] = (labels[:5] + 1) % 3
    result = report(real, fake, FirstPixels(), labels)
    assert result["label_agreement"]["value"] == 0.75
    assert result["label_agreement"]["floor"] is None
    text = table(result)
    assert "label agreement        0.750      0.750         -  higher is better" in text
    assert "20 samples against 40 real images, classifier 'pixels'" in text

    result = report(real, fake, FirstPixels(), labels, real_labels=guesses(real))
    assert result["label_agreement"]["floor"] == 1.0
    with pytest.raises(JaxgenError, match=r"labels of shape \(3,\) for 20 images"):
        report(real, fake, FirstPixels(), labels[:3])


def test_rows_of_the_table_are_in_their_order_and_scaled():
    real, fake = images(40, 0), images(20, 1)
    result = report(real, fake, FirstPixels(), guesses(fake))
    lines = table(result).splitlines()[3:-2]
    assert [line[:18].strip() for line in lines] == [
        "FID",
        "KID x 1000",
        "precision",
        "recall",
        "density",
        "coverage",
        "classifier score",
        "class imbalance",
        "diversity",
        "label agreement",
    ]
    assert float(lines[1].split()[3]) == pytest.approx(1000 * result["kid"]["value"], abs=1e-3)
    assert lines[6].endswith("  closer to the floor is better")


def test_figures_while_training_are_some_of_the_report():
    real, fake = images(40, 0), images(20, 1)
    result = report(real, fake, FirstPixels(), guesses(fake), seed=3)
    figures = while_training(real, fake, FirstPixels(), guesses(fake), seed=3)
    assert list(figures) == ["fid", "kid", "precision", "recall", "label_agreement"]
    assert figures == {key: result[key]["value"] for key in figures}
    assert "label_agreement" not in while_training(real, fake, FirstPixels())


def test_samples_that_are_alike_raise_an_alarm():
    assert alarms({"diversity": 0.51, "d_loss": 0.0}) == []
    assert alarms({"d_loss": 0.0}) == []
    assert alarms({"diversity": 0.49}) == [
        "samples differ less than 50% as much as real images do: the generator may have collapsed "
        "to a few of them"
    ]


def test_an_own_metric_is_in_the_report_the_table_and_the_alarms(own_file):
    own_file("own_brightness", OWN)
    real, fake = images(40, 0), images(20, 1) - 0.3
    result = report(real, fake, FirstPixels())
    assert result["brighter"]["value"] == pytest.approx(fake.mean() - real.mean())
    last = table(result).splitlines()[-3]
    assert last.startswith("brighter by")
    assert float(last.split()[2]) == pytest.approx(100 * result["brighter"]["value"], abs=1e-3)
    assert while_training(real, fake, FirstPixels())["brighter"] == result["brighter"]["value"]
    assert alarms({"brighter": -0.6}) == ["samples are too dark"]
    json.dumps(result)


def test_a_report_of_an_own_metric_is_shown_where_its_file_is_not_imported():
    result = report(images(40, 0), images(20, 1), FirstPixels())
    result["brighter"] = {"value": 0.25, "matched": 0.5, "floor": None}
    assert "brighter               0.250      0.500         -\n" in table(result)


def test_a_report_of_an_older_run_is_shown():
    older = json.loads(json.dumps(report(images(40, 0), images(20, 1), FirstPixels())))
    del older["diversity"], older["kid_std"]
    older["seconds"] = 3.0
    assert "FID" in table(older)
    assert "diversity" not in table(older)


def test_report_refuses_too_few_images():
    for measure in (report, while_training):
        with pytest.raises(JaxgenError, match="7 real and 20 generated images are too few"):
            measure(images(7, 0), images(20, 1), FirstPixels())
