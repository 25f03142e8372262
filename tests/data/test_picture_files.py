"""Single picture files: which square of which colours is read, and what is refused."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from jaxgen.data import picture_files
from jaxgen.errors import JaxgenError

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def save(path, pixels, mode=None, **options):
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def stripes(*colours, width=8, height=24):
    """Upright stripes, uint8 (height, width * stripes, 3)."""
    return np.repeat(np.array([colours], np.uint8), width, axis=1).repeat(height, axis=0)


def test_the_middle_square_is_kept_whatever_the_shape(tmp_path):
    wide = stripes(RED, GREEN, GREEN, GREEN, RED)  # 24 x 40, its middle 24 are green
    for name, pixels in (("wide.png", wide), ("tall.png", wide.swapaxes(0, 1))):
        image = picture_files.read(save(tmp_path / name, pixels), 8)
        assert image.dtype == np.uint8
        assert image.shape == (8, 8, 3)
        # Lanczos' filter sees a little of what lies beyond the edge; a wrong square would be red.
        assert np.abs(image.astype(int) - GREEN).max() < 40


def test_a_small_picture_is_enlarged(tmp_path):
    path = save(tmp_path / "a.png", stripes(RED, width=2, height=2))
    assert (picture_files.read(path, 32) == RED).all()


def test_shrinking_averages(tmp_path):
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    image = picture_files.read(save(tmp_path / "a.png", checks), 8)
    assert np.abs(image.astype(int) - 128).max() <= 2  # every other pixel alone would be 0 or 255


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "L"),
        ("a.png", "1"),
        ("a.png", "P"),
        ("a.jpg", "L"),
        ("a.jpg", "CMYK"),
        ("a.gif", None),
        ("a.bmp", None),
        ("a.webp", None),
        ("a.tif", None),
        ("a.ppm", None),
    ],
)
def test_kinds_of_files_and_colours(tmp_path, name, mode):
    image = picture_files.read(save(tmp_path / name, stripes(WHITE), mode), 8)
    assert image.shape == (8, 8, 3)
    assert image.min() >= 250


def test_sixteen_bits_become_eight(tmp_path):
    grey = np.full((8, 8), 0x80FF, np.uint16)
    assert (picture_files.read(save(tmp_path / "a.png", grey), 8) == 0x80).all()


def test_transparency_shows_white(tmp_path):
    black = np.zeros((8, 8, 4), np.uint8)
    assert (picture_files.read(save(tmp_path / "a.png", black), 8) == 255).all()


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: the first row is the right side
    path = save(tmp_path / "a.png", stripes(RED, GREEN, width=12), exif=exif)
    image = picture_files.read(path, 8)
    assert image.shape == (8, 8, 3)
    assert (image[0] == RED).all() and (image[-1] == GREEN).all()


def test_what_is_refused(tmp_path, monkeypatch):
    real_numbers = save(tmp_path / "a.tif", np.zeros((4, 4), np.float32))
    with pytest.raises(JaxgenError, match="neither 8 nor 16 bits"):
        picture_files.read(real_numbers, 8)
    large = save(tmp_path / "a.png", np.zeros((5, 5), np.uint8))
    monkeypatch.setattr(picture_files, "MOST_PIXELS", 24)
    with pytest.raises(JaxgenError, match="5 x 5 is more than 24 pixels"):
        picture_files.read(large, 8)


def test_broken_pictures_are_left_out_and_told(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    sound = save(tmp_path / "b.png", noise)
    paths = [tmp_path / f"{name}.png" for name in "abcdefgh"]
    for path in paths:
        if path != sound:
            path.write_bytes(sound.read_bytes()[:3000])
    paths[7].write_text("not a picture")
    images, rows, problems = picture_files.read_all(paths, 8)
    assert images.shape == (1, 8, 8, 3)
    assert rows.tolist() == [1]
    assert len(problems) == 7
    assert problems[0].startswith(f"{paths[0]}: ") and "truncated" in problems[0]
    picture_files.report(problems, len(paths))
    told = capsys.readouterr().err.splitlines()
    assert len([line for line in told if line.startswith("skipped ")]) == 5
    assert told[-1] == "7 of 8 pictures could not be used"


def test_contents_are_read_as_their_file_is_and_as_they_are_without_a_side(tmp_path):
    pixels = stripes(RED, GREEN)
    path = save(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(
        picture_files.read(path.read_bytes(), 8), picture_files.read(path, 8)
    )
    np.testing.assert_array_equal(picture_files.read(path, 0), pixels)
    grey = save(tmp_path / "b.png", pixels[..., 0]).read_bytes()
    np.testing.assert_array_equal(
        picture_files.read(grey, 0), np.stack([pixels[..., 0]] * 3, axis=-1)
    )


def test_colours_are_kept_or_made_grey():
    grey = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1).repeat(3, axis=-1)
    coloured = grey.copy()
    coloured[1, 3, 3] = (255, 0, 10)
    cases: tuple[tuple[picture_files.Colour, np.ndarray, int], ...] = (
        ("auto", grey, 1),
        ("grey", grey, 1),
        ("rgb", grey, 3),
        ("auto", coloured, 3),
        ("rgb", coloured, 3),
    )
    for colour, images, channels in cases:
        found = picture_files.in_colour(images, colour)
        np.testing.assert_array_equal(found, images[..., :channels])
        assert found.dtype == np.uint8
    luma = picture_files.in_colour(coloured, "grey")
    np.testing.assert_array_equal(luma[0], grey[0, ..., :1])
    assert luma[1, 3, 3, 0] == round(0.299 * 255 + 0.114 * 10)  # ITU-R 601-2


def test_find_sorts_by_path_and_leaves_out_the_rest(tmp_path):
    for name in ("b/2.JPG", "b.png", "a/x/1.png", ".hidden/1.png", "a/.1.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in picture_files.find(tmp_path)]
    assert found == ["a/x/1.png", "b.png", "b/2.JPG"]


def test_large_pictures_are_decoded_one_at_a_time_in_the_callers_thread(tmp_path, monkeypatch):
    """Each thread keeps the memory of its largest picture, so that only one may decode large."""
    monkeypatch.setattr(picture_files, "MOST_IN_THREADS", 24 * 16)
    small, large = stripes(RED, GREEN), stripes(GREEN, RED, height=25)
    paths = [
        save(tmp_path / f"{number}.png", large if number % 2 else small) for number in range(20)
    ]
    decoded = []
    over = picture_files._rgb

    def watched(image):
        decoded.append((image.height, threading.get_ident() == threading.main_thread().ident))
        return over(image)

    monkeypatch.setattr(picture_files, "_rgb", watched)
    images, rows, problems = picture_files.read_all(paths, 8)
    assert (rows.tolist(), problems) == (list(range(20)), [])
    assert sorted(decoded) == [(24, False)] * 10 + [(25, True)] * 10
    for number, image in enumerate(images):
        np.testing.assert_array_equal(image, picture_files.read(paths[number], 8))


def test_a_jpeg_is_large_only_if_it_is_decoded_whole(tmp_path):
    pixels = stripes(RED, width=800, height=800)
    plain = save(tmp_path / "a.jpg", pixels)
    progressive = save(tmp_path / "b.jpg", pixels, progressive=True)
    assert picture_files.read(plain, 8, most=100 * 100).shape == (8, 8, 3)  # an eighth
    with pytest.raises(picture_files.Large):
        picture_files.read(progressive, 8, most=100 * 100)
    with pytest.raises(picture_files.Large):
        picture_files.read(plain, 0, most=100 * 100)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_in_strips_is_that_of_the_whole(mode, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (37, 11, 4), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    if mode == "P":
        image.info["transparency"] = 3
    monkeypatch.setattr(picture_files, "_STRIP", 8)
    white = Image.new("RGBA", image.size, "white")
    expected = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    np.testing.assert_array_equal(picture_files._over_white(image), expected)
    if mode != "P":
        assert (np.asarray(expected) != np.asarray(image.convert("RGB"))).any()


def test_a_file_of_too_many_bytes_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", stripes(RED))
    monkeypatch.setattr(picture_files, "MOST_BYTES", path.stat().st_size - 1)
    with pytest.raises(JaxgenError, match=r"it has more than \d+ bytes"):
        picture_files.read(path, 8)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_eight_of_the_largest_pictures_take_less_than_a_gigabyte(tmp_path, mode):
    """They took 3.4 and 4.5 to 5.6 GB.

    Measured in a process of its own, by the system's mark of its own memory: `ru_maxrss` counts
    what the process that started it has, too.
    """
    code = f"""
import re
from pathlib import Path
from PIL import Image
from jaxgen.data import picture_files
folder = Path({str(tmp_path)!r})
side = int(picture_files.MOST_PIXELS ** 0.5)
Image.new({mode!r}, (side, side)).save(folder / "0.png")
for number in range(1, 8):
    (folder / f"{{number}}.png").symlink_to(folder / "0.png")
images, _, problems = picture_files.read_all(picture_files.find(folder), 64)
assert images.shape == (8, 64, 64, 3), problems
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_000_000  # kilobytes
