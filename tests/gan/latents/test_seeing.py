"""Which network sees the images of a model: as asked, or none with a note that says why."""

import numpy as np
import pytest

from jaxgen import settings
from jaxgen.errors import JaxgenError
from jaxgen.gan.latents import seeing
from jaxgen.metrics.samples import classifier, networks

DIGITS = np.random.default_rng(0).uniform(-1, 1, (3, 28, 28, 1)).astype(np.float32)


def not_asked():
    raise AssertionError("training images are not needed")


def test_a_classifier_gives_its_features():
    features = seeing.for_neighbours("digits", (28, 28, 1), not_asked)
    right = classifier.load("digits").features_and_logits(DIGITS)[0]
    np.testing.assert_array_equal(features(DIGITS), right)
    assert seeing.for_neighbours("none", (28, 28, 1), not_asked) is None


def test_photographs_have_no_classifier_and_a_note_says_what_sees_them(capsys):
    with settings.flags_spelled():
        assert seeing.for_neighbours("auto", (64, 64, 3), not_asked) is None
    told = capsys.readouterr().err
    assert "3 channels have no classifier: pixels alone are compared" in told
    assert "--features lite0 is for photographs" in told
    assert seeing.chosen("auto", (64, 64, 3), not_asked) is None
    assert "lite0" not in capsys.readouterr().err
    with pytest.raises(JaxgenError, match="digits sees 28x28 grey ones"):
        seeing.for_neighbours("digits", (64, 64, 3), not_asked)


def test_lite0_is_opened_when_it_is_asked_for(monkeypatch):
    class Opened:
        def __init__(self, name):
            self.name = name

        def features(self, images):
            return images.reshape(len(images), -1)

    monkeypatch.setattr(networks, "opened", Opened)
    features = seeing.for_neighbours("lite0", (28, 28, 1), not_asked)
    assert features(DIGITS).shape == (3, 784)
