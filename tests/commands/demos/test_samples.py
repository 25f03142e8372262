"""What the page of a GAN shows for its settings; no Gradio needed."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from jaxgen.commands.demos import markup
from jaxgen.commands.demos.samples import Drawing, SamplePlayer, Walking
from jaxgen.display import plots
from jaxgen.errors import JaxgenError
from jaxgen.gan.noise import normal
from tests.commands.demos import models


@pytest.fixture(scope="module")
def model():
    return models.gan()


@pytest.fixture(scope="module")
def player(model):
    return SamplePlayer(model)


def pictures(html):
    """Of an answer: what is told of each picture, and the picture."""
    found = re.findall(r'alt="([^"]*)" src="data:image/(\w+);base64,([^"]*)"', html)
    return [
        (told, kind, Image.open(io.BytesIO(base64.b64decode(data)))) for told, kind, data in found
    ]


def test_the_grid_is_that_of_the_samples(model, player):
    html = player.samples(Drawing(seed=3, n=20, truncation=0.5))
    [(told, _, grid)] = pictures(html)
    images = model.sample(seed=3, labels=np.arange(20) // 2, truncation=0.5)
    np.testing.assert_array_equal(np.asarray(grid), plots.grid(images, columns=10))
    assert told == "20 samples of seed 3, classes 0 to 9"
    assert 'download="seed-3.png"' in html


def test_every_setting_shows(player):
    first = player.samples(Drawing(n=20))
    assert player.samples(Drawing(n=20)) == first
    others = (
        Drawing(n=20, seed=1), Drawing(n=20, label=4), Drawing(n=20, truncation=0.3), Drawing(n=19),
    )  # fmt: skip
    assert len({player.samples(other) for other in (Drawing(n=20), *others)}) == 5
    assert "20 samples of seed 0, class 4" in player.samples(Drawing(n=20, label=4))


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        (Drawing(seed=None), "seed must be a whole number"),
        (Drawing(seed=-1), "seed must be"),
        (Drawing(seed=2**40), "seed must be"),
        (Drawing(label=10), "labels must be from 0 to 9"),
        (Drawing(n=0), "n must be"),
        (Drawing(n=1000), "n must be"),
        (Drawing(truncation=0.0), "truncation must be in"),
        (Drawing(truncation="x"), "truncation must be"),
    ],
)
def test_settings_that_make_no_sense_are_refused(player, drawing, words):
    with pytest.raises(JaxgenError, match=words):
        player.samples(drawing)


def test_the_end_of_the_slider_is_no_truncation(player):
    assert player.widest == 1
    assert player.truncation(1.0) is None
    assert player.truncation(0.4) == 0.4
    of_normal = SamplePlayer(models.gan(noise=normal))
    assert of_normal.widest == 4
    assert of_normal.truncation(4.0) is None
    assert of_normal.samples(Drawing(n=2, truncation=2.0)) != of_normal.samples(Drawing(n=2))


def test_a_walk_is_an_animation_and_a_strip_of_its_frames(model, player):
    html = player.walk(Drawing(seed=2, label=6), Walking(stops=3, steps=4))
    (moving_told, kind, moving), (told, _, strip) = pictures(html)
    frames = model.walk(2, 3, 4, [6])
    assert kind == "gif"
    assert moving.n_frames == len(frames)
    for index in (0, 5, 11):
        moving.seek(index)
        expected = plots.to_bytes(frames[index, 0, ..., 0])
        np.testing.assert_array_equal(np.asarray(moving.convert("L")), expected)
    assert strip.size == (4 * 30 + 2, 3 * 30 + 2)  # a row for each stop
    assert moving_told == "an animated walk through 3 inputs of seed 2, class 6"
    assert "reduced-motion" in html
    assert told.startswith("images of the walk")


def test_all_classes_walk_side_by_side(player):
    (_, _, moving), (_, _, strip) = pictures(player.walk(Drawing(), Walking(stops=2, steps=6)))
    assert moving.size == (5 * 30 + 2, 2 * 30 + 2)
    assert strip.size == (10 * 30 + 2, 10 * 30 + 2)  # a row for each class


def test_a_walk_of_too_many_pixels_is_refused(player, monkeypatch):
    monkeypatch.setattr("jaxgen.commands.demos.samples._MOST_MOVING", 2**21)
    with pytest.raises(JaxgenError, match="48 frames of so many pixels are too many"):
        player.walk(Drawing(), Walking())


class Other:
    """A kind of model that does no more than draw."""

    def sample(self, seed=0, n=64, labels=None):
        assert labels is None
        return np.random.default_rng(seed).uniform(-1, 1, (n, 7, 6, 3)).astype(np.float32)


def test_another_kind_of_model_has_seeds_alone():
    player = SamplePlayer(Other())
    assert (player.classes, player.widest, player.can_walk) == (0, None, False)
    [(told, _, grid)] = pictures(player.samples(Drawing(seed=1, n=4)))
    assert told == "4 samples of seed 1"
    assert grid.mode == "RGB"
    with pytest.raises(JaxgenError, match="no walks"):
        player.walk(Drawing(), Walking())


def test_an_image_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("jaxgen.commands.demos.samples._MOST_PIXELS", 41)
    with pytest.raises(JaxgenError, match="images of 6 x 7 pixels are too large"):
        SamplePlayer(Other())


def test_what_is_told_is_escaped():
    hostile = "<script>alert('1')</script>"
    html = markup.problem(hostile) + markup.words([(hostile, np.zeros((2, 2, 3), np.uint8))])
    assert "<script" not in html
    assert "&lt;script&gt;" in html
