"""Modes and reverse KL of stacked digits: by hand, of real ones, and in a report."""

import math

import numpy as np
import pytest

from jaxgen.data.images.base import load_images, to_model_range
from jaxgen.data.images.stacked_digits import StackedDigits
from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples import classifier, report, stacked
from jaxgen.metrics.samples.base import Measured


@pytest.fixture(scope="module")
def data():
    return load_images(StackedDigits(train=600))


@pytest.fixture(scope="module")
def known(data):
    return stacked.for_data(to_model_range(data["image"][:100]), data["label"][:100])


def logits_of(modes):
    return np.eye(1000, dtype=np.float32)[modes]


def test_by_hand():
    even = logits_of(np.arange(2000) % 1000)
    assert stacked.number_of_modes(even) == 1000
    assert stacked.divergence_from_even(even) == pytest.approx(0, abs=1e-12)
    one = logits_of(np.full(50, 7))
    assert stacked.number_of_modes(one) == 1
    assert stacked.divergence_from_even(one) == pytest.approx(math.log(1000))
    # p = (3/4, 1/4): 3/4 log 750 + 1/4 log 250.
    two = logits_of([3, 3, 3, 999])
    assert stacked.number_of_modes(two) == 2
    expected = 0.75 * math.log(750) + 0.25 * math.log(250)
    assert stacked.divergence_from_even(two) == pytest.approx(expected)


def test_a_perfect_sampler_has_what_its_number_of_samples_says():
    """The expectation is (M - 1) / (2 N) to first order: 0.0192 for 26,000."""
    rng = np.random.default_rng(0)
    mode_N = rng.integers(1000, size=stacked.SAMPLES)
    found = stacked.divergence_from_even(logits_of(mode_N))
    # Its deviation is sqrt(999 / 2) / N = 0.00086.
    assert found == pytest.approx(999 / (2 * 26_000), abs=0.003)


def test_the_classifier_looks_at_each_colour(known, data):
    images = to_model_range(data["image"])
    features, logits = known.features_and_logits(images[:50])
    assert features.shape == (50, 3 * 64) and logits.shape == (50, 1000)
    assert features.dtype == logits.dtype == np.float32
    np.testing.assert_allclose(np.exp(logits).sum(1), 1, rtol=1e-4)  # probabilities
    grey = classifier.load("digits")
    for colour in range(3):
        own_features, own_logits = grey.features_and_logits(images[:50, ..., colour])
        place = slice(64 * colour, 64 * (colour + 1))
        np.testing.assert_allclose(features[:, place], own_features, atol=1e-5)
        digit = logits.argmax(1) // 10 ** (2 - colour) % 10
        np.testing.assert_array_equal(digit, own_logits.argmax(1))
    assert (logits.argmax(1) == data["label"][:50]).mean() > 0.95


def test_what_it_does_not_know_is_not_measured(known, data):
    images = to_model_range(data["image"][:100])
    # Colours the other way round: digits, but other classes.
    assert stacked.for_data(images[..., ::-1], data["label"][:100]) is None
    for wrong in (images[..., :1], images[:, :14], images[:0]):
        with pytest.raises(JaxgenError, match=r"expected \(N, 28, 28, 3\)"):
            known.features_and_logits(wrong)
    with pytest.raises(JaxgenError, match="not finite"):
        known.features_and_logits(np.full((2, 28, 28, 3), np.nan))


def test_a_report_has_both_beside_their_floors(known, data):
    images, labels = to_model_range(data["image"]), data["label"]
    images, labels = images[:300], labels[:300]
    collapsed = np.repeat(images[:2], 50, axis=0)
    told = report.report(images, collapsed, known, real_labels=labels)
    assert told["modes"]["value"] == 2
    assert told["reverse_kl"]["value"] == pytest.approx(math.log(500), rel=1e-6)
    assert 80 < told["modes"]["floor"] <= 100
    assert told["reverse_kl"]["floor"] == pytest.approx(math.log(10), abs=0.2)  # of 100 images
    text = report.table(told)
    assert "modes of 1,000         2.000" in text and "reverse KL" in text
    assert max(map(len, text.splitlines())) < 160  # not a thousand shares in a line
    quick = report.while_training(None, collapsed, known)
    assert quick == {"modes": 2, "reverse_kl": told["reverse_kl"]["value"]}
    asked = report.while_training(None, collapsed, known, np.repeat(labels[:2], 50))
    assert asked["label_agreement"] == 1


def test_other_images_have_no_modes():
    rng = np.random.default_rng(0)
    grey = rng.uniform(-1, 1, (16, 28, 28)).astype(np.float32)
    told = report.report(grey, grey, classifier.load("digits"))
    assert "modes" not in told and "reverse_kl" not in told


def test_a_thousand_classes_of_photographs_are_no_modes():
    """EfficientNet-Lite0 measures pictures of any origin, and has as many classes."""
    rng = np.random.default_rng(0)
    seen = Measured(None, rng.normal(size=(8, 1280)), logits_of(np.arange(8)))
    assert stacked.modes.measure(seen, seen) is None
    assert stacked.reverse_kl.measure(seen, seen) is None
    digits = Measured(None, rng.normal(size=(8, 192)), seen.logits)
    assert stacked.modes.measure(digits, digits) == 8
