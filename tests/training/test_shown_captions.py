"""Captions that were shown: read back as they were, and refused where they were altered."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from jaxgen.data.sealing import sealed
from jaxgen.errors import JaxgenError
from jaxgen.training import shown_captions
from jaxgen.training.task import ShownCaption

PICTURE = np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8)
LOOKED = np.float32([[[0.5, 0.1], [0.4, 0.0]], [[0.25, 0.25], [0.25, 0.25]]])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "step_000005.json"
    shown = [
        ShownCaption(7, PICTURE, ("a", "<b>"), " ", "a true one", LOOKED),
        ShownCaption(8, None, (), "", "", None, seed=3),
    ]
    shown_captions.write(path, shown)
    return path


def test_captions_come_back(path):
    first, second = shown_captions.read(path)
    assert (first.image, first.words, first.sentence) == (7, ("a", "<b>"), "a <b>")
    assert (first.rows, first.columns) == (2, 2)
    # In 255ths of what the word looked at most.
    assert first.weights == ((255, 51, 204, 0), (255, 255, 255, 255))
    assert first.most == (0.5, 0.25)
    assert Image.open(io.BytesIO(first.picture)).size == (96, 144)
    assert (second.seed, second.sentence, second.picture, second.weights) == (3, "", b"", ())


def test_attention_that_takes_too_much_room_is_left_out(path):
    many = np.ones((3, 40, 40))
    shown_captions.write(path, [ShownCaption(0, None, ("a", "b", "c"), " ", "", many)])
    assert shown_captions.read(path)[0].weights == ()


def test_a_changed_word_is_refused(path):
    path.write_text(path.read_text().replace("true one", "false one"))
    with pytest.raises(JaxgenError, match="not as it was written"):
        shown_captions.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"words": 3},
        {"image": "x"},
        {"picture": "%%"},
        {"attention": {"shape": [2, 2], "weights": [], "most": []}},
        {"attention": {"shape": [2, 0, 0], "weights": [], "most": []}},
        {"attention": {"shape": [2, 1, 1], "weights": [1, 2, 3], "most": [1, 1]}},
    ],
)
def test_what_holds_no_captions_is_refused(path, change):
    captions = json.loads(path.read_text())["captions"]
    captions[0] |= change
    path.write_text(json.dumps(sealed({"captions": captions})))
    with pytest.raises(JaxgenError, match="holds no captions"):
        shown_captions.read(path)


def test_a_long_caption_is_cut_with_its_attention(path):
    words = tuple(f"{'x' * 99}{i}" for i in range(300))
    shown = ShownCaption(0, None, words, " ", "y" * 9999, np.ones((300, 2, 2)))
    shown_captions.write(path, [shown])
    (caption,) = shown_captions.read(path)
    assert len(caption.words) == len(caption.weights) == 256
    assert len(caption.sentence) == 256 * 61 - 1
    assert len(caption.true) == 1000
