"""What sets of images have in common: which part is loaded, what own sets may give, the range."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import settings
from jaxgen.data.images.base import Images, load_images, to_model_range, to_unit_range
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.errors import JaxgenError

IMAGE_NHWC = np.arange(6 * 4 * 5 * 3, dtype=np.uint8).reshape(6, 4, 5, 3)
LABEL_N = np.array([2, 0, 1, 1, 0, 2])


@dataclasses.dataclass(frozen=True)
class Own(Images):
    """A set as a user would write one."""

    given: Any = None

    def load(self):
        return self.given


def given(**changes):
    return {"image": IMAGE_NHWC, "label": LABEL_N} | changes


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_the_first_images_of_an_own_set_are_for_training(dtype):
    data = load_images(Own(train=4, given=given(label=LABEL_N.astype(dtype))))
    assert sorted(data) == ["image", "label"]
    np.testing.assert_array_equal(data["image"], IMAGE_NHWC[:4])
    np.testing.assert_array_equal(data["label"], [2, 0, 1, 1])
    assert data["label"].dtype == np.int32


def test_a_set_smaller_than_train_is_taken_whole():
    assert len(load_images(Own(given=given()))["image"]) == 6


def test_a_set_without_labels_is_of_one_class():
    label_N = load_images(Own(train=5, given={"image": IMAGE_NHWC}))["label"]
    np.testing.assert_array_equal(label_N, np.zeros(5, np.int32), strict=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "must give a dictionary of image and label, not NoneType"),
        ([IMAGE_NHWC, LABEL_N], "must give a dictionary of image and label, not list"),
        ({"label": LABEL_N}, "gives no 'image'"),
        (given(labels=LABEL_N), "gives 'labels', but only 'image' and 'label' are known"),
        ({"image": IMAGE_NHWC, 3: LABEL_N}, "gives 3, but only 'image' and 'label' are known"),
        (given(image=IMAGE_NHWC.tolist()), "must give 'image' as a NumPy array .* not list"),
        (given(image=np.uint8(3)), r"must give 'image' .* not uint8 of shape \(\)"),
        (given(image=IMAGE_NHWC / 255), r"of uint8 .* not float64 of shape \(6, 4, 5, 3\)"),
        (given(image=IMAGE_NHWC[..., 0]), r"\(N, H, W, C\), C 1 or 3, not uint8 of .*\(6, 4, 5\)"),
        (given(image=IMAGE_NHWC[..., :2]), r"C 1 or 3, not uint8 of shape \(6, 4, 5, 2\)"),
        (given(image=IMAGE_NHWC[:0], label=LABEL_N[:0]), "gives no image"),
        (given(image=IMAGE_NHWC[:, :0]), "gives no image"),
        (given(label=LABEL_N.tolist()), r"must give 'label' .* integers \(N,\), not list"),
        (given(label=LABEL_N / 1), r"integers \(N,\), not float64 of shape \(6,\)"),
        (given(label=LABEL_N > 0), r"integers \(N,\), not bool of shape \(6,\)"),
        (given(label=LABEL_N[:, None]), r"integers \(N,\), not int64 of shape \(6, 1\)"),
        (given(label=LABEL_N[:5]), "gives 6 images but 5 labels"),
        (given(label=LABEL_N - 1), "gives the label -1, but classes are numbered from 0 on"),
        (given(label=LABEL_N + 2**31), "gives the label 2147483650, which is no number of a class"),
    ],
)
def test_what_an_own_set_gives_is_checked(wrong, message):
    with pytest.raises(JaxgenError, match=rf"^Own\.load\(\) .*{message}") as raised:
        load_images(Own(given=wrong))
    assert "\n" not in str(raised.value)


def test_a_set_sorted_by_class_is_not_cut_between_classes():
    with pytest.raises(
        JaxgenError, match="'mnist5k' is sorted by class and its first 4000 images "
    ):
        load_images(Mnist5k(train=4000))
    sorted_set = Own(train=5, given=given(label=np.sort(LABEL_N + np.array([0, 0, 0, 0, 0, 1]))))
    message = (
        r"^data set '\S*test_base:Own' is sorted by class and its first 5 images have none of "
        r"class 3; take all 6 \(data\.train 6\)$"
    )
    with pytest.raises(JaxgenError, match=message):
        load_images(sorted_set)
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=r"\(--data\.train 6\)"):
        load_images(sorted_set)
    assert len(load_images(dataclasses.replace(sorted_set, train=6))["label"]) == 6


def test_no_image_to_train_on_is_refused():
    with pytest.raises(JaxgenError, match=r"data\.train must be at least 1, got 0"):
        load_images(Mnist5k(train=0))


def test_every_set_is_found_by_its_name_and_has_no_field_of_another():
    fields = {
        name: [field.name for field in dataclasses.fields(cls)]
        for name, cls in settings.subclasses(Images).items()
        if ":" not in name
    }
    assert fields == {
        "mnist5k": ["train"],
        "idx": ["train", "dir"],
        "pictures": ["train", "dir", "size", "colour"],
        "packed": ["train", "dir", "size", "colour"],
        "stacked_digits": ["train", "draw_seed", "digits"],
        "tfds": ["train", "name", "dir", "size", "colour", "download"],
    }


@pytest.mark.parametrize("library", [np, jnp])
def test_model_range_and_back(library):
    pixels = library.arange(256, dtype=np.uint8)
    scaled = to_model_range(pixels)
    assert scaled.dtype == np.float32
    assert isinstance(scaled, library.ndarray)
    np.testing.assert_allclose(scaled, np.arange(256) / 255 * 2 - 1, atol=1e-6)
    assert (scaled[0], scaled[255]) == (-1, 1)
    unit = to_unit_range(scaled)
    assert unit.dtype == np.float32
    assert isinstance(unit, library.ndarray)
    np.testing.assert_allclose(unit, np.arange(256) / 255, atol=1e-6)


def test_only_pixels_are_scaled():
    with pytest.raises(TypeError, match="uint8, not float32"):
        to_model_range(np.zeros(3, np.float32))
