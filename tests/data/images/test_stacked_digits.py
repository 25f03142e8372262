"""Stacked digits: which digits stand where, what they are called, and what the seed decides."""

from dataclasses import replace

import numpy as np
import pytest

from jaxgen.data.images.base import load_images, open_images
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.data.images.stacked_digits import StackedDigits
from jaxgen.errors import JaxgenError
from jaxgen.settings import memory

SET = StackedDigits(train=600)


@pytest.fixture(scope="module")
def digits():
    """The 5,000 digits by their pixels: which one each is."""
    images = load_images(Mnist5k())["image"]
    return {image.tobytes(): index for index, image in enumerate(images[..., 0])}


def numbers_of(data, digits):
    """Which digit each colour of each image is: (N, 3)."""
    colours_N3 = np.moveaxis(data["image"], -1, 1)
    return np.array([[digits[one.tobytes()] for one in colours] for colours in colours_N3])


@pytest.mark.parametrize("part", ["train", "held_out"])
def test_each_colour_is_a_digit_of_the_part_and_the_label_says_which(part, digits):
    data = load_images(replace(SET, digits=part))
    assert data["image"].shape == (600, 28, 28, 3)
    assert (data["image"].dtype, data["label"].dtype) == (np.uint8, np.int32)
    number_N3 = numbers_of(data, digits)
    # The digits' file is sorted: 500 of each.
    np.testing.assert_array_equal(data["label"], number_N3 // 500 @ [100, 10, 1])
    assert set((number_N3 % 10 == 9).ravel()) == {part == "held_out"}


def test_all_classes_are_equally_likely(digits):
    data = load_images(replace(SET, train=20_000))
    count = np.bincount(data["label"], minlength=1000)
    assert len(count) == 1000
    # Chi squared of 999 degrees of freedom: 1,143 is exceeded once in a thousand sets.
    assert ((count - 20) ** 2 / 20).sum() < 1143
    number_N3 = numbers_of({"image": data["image"][:2000]}, digits)
    assert len(np.unique(number_N3)) > 3000  # of 4,500, not a few again and again


def test_the_seed_decides_and_more_begin_with_the_same(digits):
    data = load_images(SET)
    again, more = load_images(SET), load_images(replace(SET, train=900))
    for name in ("image", "label"):
        np.testing.assert_array_equal(again[name], data[name])
        np.testing.assert_array_equal(more[name][:600], data[name])
    other = load_images(replace(SET, draw_seed=1))
    assert (other["label"] != data["label"]).mean() > 0.9


def test_it_can_be_read_at_random():
    data, opened = load_images(SET), open_images(SET)
    assert opened.array is None and opened.shape == (28, 28, 3) and opened.classes <= 1000
    place = np.array([[5, 599], [0, 5]])
    np.testing.assert_array_equal(opened.gather(place), data["image"][place])


def test_more_than_memory_holds_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 10**6)
    with pytest.raises(JaxgenError, match=r"600 images would take .* a smaller data\.train"):
        load_images(SET)
