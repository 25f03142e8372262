"""What an encoder sees of a photograph, of any mode, turn and shape."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxgen.data.photographs.preparing import prepared

RNG = np.random.default_rng(0)
COLOURS = np.repeat(np.repeat(RNG.integers(0, 256, (6, 8, 3), np.uint8), 10, 0), 10, 1)


def encoded(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def seen(contents, crop="whole", size=40):
    return prepared(contents, size, crop, "bilinear").astype(int)


RIGHT = seen(encoded(Image.fromarray(COLOURS)))


def test_the_centre_is_seven_eighths_of_the_shorter_side():
    stripes = np.zeros((64, 128, 3), np.uint8)
    stripes[:, 32:96] = 200  # the square in the middle
    stripes[:, 36:92] = 100  # seven eighths of it
    found = prepared(encoded(Image.fromarray(stripes)), 56, "centre", "bilinear")
    assert found.shape == (56, 56, 3)
    np.testing.assert_array_equal(found, 100)
    whole = prepared(encoded(Image.fromarray(stripes)), 56, "whole", "bilinear")
    assert whole[:, [0, -1]].max() == 0
    assert whole.max() > 150


@pytest.mark.parametrize(
    ("mode", "tolerance"),
    [("RGB", 0), ("RGBA", 0), ("P", 60), ("CMYK", 30), ("L", None), ("I;16", None)],
)
def test_every_mode_is_seen_in_colours(mode, tolerance):
    image = Image.fromarray(COLOURS)
    if mode == "CMYK":
        contents = encoded(image.convert("CMYK"), "JPEG", quality=95)
    elif mode == "I;16":
        grey = np.asarray(image.convert("L"), np.uint16) * 257
        contents = encoded(Image.fromarray(grey))
    else:
        contents = encoded(image.convert(mode))
    found = seen(contents)
    if tolerance is None:  # grey
        assert (found == found[..., :1]).all()
        grey = np.asarray(image.convert("L").resize((40, 40), Image.Resampling.BILINEAR))
        assert np.abs(found[..., 0] - grey.astype(int)).max() <= 1
    else:
        assert np.abs(found - RIGHT).max() <= tolerance


def test_transparency_shows_white():
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    np.testing.assert_array_equal(seen(encoded(clear)), 255)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photograph_is_turned_as_its_exif_data_say(turn):
    turned = Image.fromarray(COLOURS)
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(turn)
    if inverse is not None:
        turned = turned.transpose(Image.Transpose(inverse))
    exif = Image.Exif()
    exif[0x0112] = turn
    np.testing.assert_array_equal(seen(encoded(turned, exif=exif)), RIGHT)


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "green")]
    contents = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (seen(contents)[..., 0] > 250).all()


def test_a_long_and_thin_photograph_takes_no_more_memory():
    found = prepared(encoded(Image.new("L", (1, 60_000), 70)), 224, "centre", "bicubic")
    np.testing.assert_array_equal(found, 70)
    found = prepared(encoded(Image.new("L", (40_000, 3), 70)), 224, "centre", "bilinear")
    np.testing.assert_array_equal(found, 70)
