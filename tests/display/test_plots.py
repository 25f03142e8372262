"""Pictures: where each pixel goes, and files that open."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from jaxgen.display import plots


def opened(path):
    with Image.open(path) as picture:
        return picture.size, getattr(picture, "n_frames", 1)


def test_to_bytes_rounds_and_clips():
    assert plots.to_bytes(np.array([-1.0, -2.0, 1.0, 3.0, 0.0, 0.5])).tolist() == [
        0, 0, 255, 255, 128, 191,
    ]  # fmt: skip


def test_grid_places_images_row_by_row_with_padding():
    images = np.stack([np.full((2, 3, 1), value) for value in (-1.0, 0.0, 1.0)])
    picture = plots.grid(images, columns=2, padding=1)
    assert picture.dtype == np.uint8
    assert picture.tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 128, 128, 128, 0],
        [0, 0, 0, 0, 0, 128, 128, 128, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 255, 255, 255, 0, 0, 0, 0, 0],
        [0, 255, 255, 255, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]


def tiny(count):
    """White images of one row and two columns."""
    return np.ones((count, 1, 2, 1))


@pytest.mark.parametrize(
    ("count", "padding", "expected"),
    [
        (1, 2, [[255, 255]]),
        (2, 1, [[0] * 7, [0, 255, 255, 0, 255, 255, 0], [0] * 7]),
        (3, 0, [[255] * 6]),
    ],
)
def test_fewer_images_than_columns(count, padding, expected):
    """As torchvision's `make_grid` with `nrow=8`: min(nrow, images) columns, each image with
    `padding` zeros around it, and a single image as it is.
    """
    assert plots.grid(tiny(count), columns=8, padding=padding).tolist() == expected


def test_grid_normalizes_each_image_by_itself():
    images = np.array([[[[0.1], [0.2]]], [[[-0.5], [0.5]]], [[[0.3], [0.3]]]])
    picture = plots.grid(images, columns=3, padding=0, normalize_each=True)
    assert picture.tolist() == [[0, 255, 0, 255, 0, 0]]


def test_grid_of_colour_and_of_nothing():
    assert plots.grid(np.zeros((5, 4, 4, 3))).shape == (2 * 6 + 2, 3 * 6 + 2, 3)
    with pytest.raises(ValueError, match=r"N > 0"):
        plots.grid(np.zeros((0, 4, 4, 1)))


def test_files_open(tmp_path):
    frames = []
    for index in range(3):
        frames.append(tmp_path / f"step_{index}.png")
        plots.save_image(frames[-1], np.full((4, 5), 80 * index, np.uint8), scale=2)
    assert opened(frames[1]) == ((10, 8), 1)
    plots.save_animation(tmp_path / "a.gif", frames)
    assert opened(tmp_path / "a.gif") == ((10, 8), 3)
    steps = np.arange(1, 1001)
    plots.save_curves(
        tmp_path / "c.png", {"d_loss": (steps, 1 / steps), "fid": (steps[:2], steps[:2])}
    )
    assert opened(tmp_path / "c.png") == ((800, 520), 1)


@pytest.mark.parametrize("count", [30, 1000])
def test_a_band_of_a_standard_deviation_stands_around_a_mean(tmp_path, monkeypatch, count):
    drawn = []
    monkeypatch.setattr(
        Axes, "fill_between", lambda self, x, low, high, **how: drawn.append((x, low, high))
    )
    steps = np.arange(1, count + 1)
    means = {"d_loss": (steps, 2.0 + 0 * steps), "fid": (steps[:2], steps[:2])}
    spreads = {"d_loss": (steps[1:], 0.5 + 0 * steps[1:])}  # the first step has one seed's value
    plots.save_curves(tmp_path / "c.png", means, spreads, "3 seeds")
    ((x, low, high),) = drawn
    assert len(x) == min(count - 1, 200)
    assert np.all(low == 1.5) and np.all(high == 2.5)
    assert opened(tmp_path / "c.png") == ((800, 520), 1)


def test_pictures_with_titles_stand_side_by_side():
    grey, colour = np.full((10, 20), 7, np.uint8), np.full((12, 18, 3), 9, np.uint8)
    canvas = plots.titled([grey, colour, grey, colour, grey], ["a", "b", "c", "d", "e"])
    # Two rows of three, of the largest picture, a title of 18 pixels and margins of 6.
    assert canvas.shape == (2 * (12 + 18 + 6) + 6, 3 * (20 + 6) + 6, 3)
    assert np.all(canvas[24:34, 6:26] == 7)
    assert np.all(canvas[24:36, 32:50] == 9)
    assert np.all(canvas[60:70, 32:52] == 7)
    assert canvas[6:24, 6:26].min() < 100  # the title
    assert np.all(canvas[60:, 58:] == 255)  # five of six places


def test_attention_lights_up_the_part_that_a_word_looked_at():
    picture = np.full((8, 8, 3), 100, np.uint8)
    maps = np.array([[[1.0, 0], [0, 0]], [[0.2, 0.2], [0.2, 0.4]]])
    canvas = plots.attended(
        [(picture, ["a", "cat"], maps), (None, ["dog"] * 3, maps[[0, 0, 1]])], 2
    )
    # Cells of 96 pixels, margins of 4, words 18 pixels high; two lines of the second caption.
    assert canvas.shape == (3 * (96 + 18 + 4) + 4, 3 * (96 + 4) + 4, 3)
    first, second, missing = canvas[4:100, 104:200], canvas[4:100, 204:300], canvas[122:218, 4:100]
    assert np.all(canvas[4:100, 4:100] == 100)
    assert np.all(first[:48, :48] == 140) and np.all(first[48:] == 40)
    assert np.all(second[48:, 48:] == 140) and np.all(second[:48] == 90)
    assert np.all(missing == 200)
    assert canvas[100:118, 104:200].min() < 100  # the word
    assert np.all(canvas[122 + 118 :, 204:] == 255)  # the second line has one word
