"""Pictures to measure: folders and .npz files, in blocks, and a sentence for what they are not."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgen import settings
from jaxgen.data import picture_sets
from jaxgen.data.picture_sets import AS_IT_IS
from jaxgen.errors import JaxgenError

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (7, 6, 5, 3), np.uint8)


def everything(pictures, most=3):
    return np.concatenate(list(pictures.blocks(most, AS_IT_IS)))


def folder_of(path, pictures):
    path.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(path / f"{number}.png")
    return path


def npz(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def refused(path, match):
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=match):
        everything(picture_sets.opened(path, "samples"))


def test_a_folder_and_a_file_give_the_same(tmp_path):
    folder = picture_sets.opened(folder_of(tmp_path / "a", PICTURES), "samples")
    file = picture_sets.opened(npz(tmp_path / "a.npz", arr_0=PICTURES, arr_1=[1]), "samples")
    for pictures in (folder, file):
        assert (len(pictures), pictures.size, pictures.problems) == (7, (6, 5), [])
        assert [len(block) for block in pictures.blocks(3, AS_IT_IS)] == [3, 3, 1]
        np.testing.assert_array_equal(everything(pictures), PICTURES)
        np.testing.assert_array_equal(everything(pictures, 100), PICTURES)  # and once more


def test_floats_and_grey_pictures_become_pixels(tmp_path):
    grey = PICTURES[..., 0]
    floats = grey.astype(np.float64) / 127.5 - 1
    for name, array in (("g", grey), ("f", floats), ("h", floats[..., None].astype(np.float16))):
        file = picture_sets.opened(npz(tmp_path / f"{name}.npz", images=array), "samples")
        found = everything(file)
        assert found.shape == PICTURES.shape and found.dtype == np.uint8
        difference = np.abs(found.astype(int) - grey[..., None])
        assert difference.max() <= (name == "h")  # half precision has 11 bits


def test_any_mode_and_orientation_is_read(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    wide = Image.fromarray(PICTURES[0])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    wide.rotate(90, expand=True).save(folder / "0.png", exif=exif)
    wide.convert("RGBA").save(folder / "1.png")
    wide.convert("L").save(folder / "2.png")
    Image.fromarray(PICTURES[0][..., 0].astype(np.uint16) * 256).save(folder / "3.png")
    found = everything(picture_sets.opened(folder, "samples"))
    np.testing.assert_array_equal(found[0], PICTURES[0])
    np.testing.assert_array_equal(found[1], PICTURES[0])
    np.testing.assert_array_equal(found[3], np.repeat(PICTURES[0][..., :1], 3, axis=-1))


def test_broken_pictures_are_told_and_left_out(tmp_path):
    folder = folder_of(tmp_path / "a", PICTURES)
    (folder / "0.png").write_bytes(b"no picture")
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:60])
    pictures = picture_sets.opened(folder, "samples")
    np.testing.assert_array_equal(everything(pictures), PICTURES[[1, 2, 3, 5, 6]])
    assert [problem.partition(": ")[0] for problem in pictures.problems] == [
        str(folder / "0.png"),
        str(folder / "4.png"),
    ]


def test_pictures_of_several_sizes_are_refused_or_cut(tmp_path):
    folder = folder_of(tmp_path / "a", PICTURES)
    Image.fromarray(PICTURES[0][:, :4]).save(folder / "3.png")
    refused(folder, r"3\.png is 4x6 and .*0\.png 5x6: .* give --size, to which all are cut")
    pictures = picture_sets.opened(folder, "samples", 4)
    assert pictures.size == (4, 4)
    assert everything(pictures).shape == (7, 4, 4, 3)
    array = picture_sets.opened(npz(tmp_path / "a.npz", images=PICTURES), "samples", 4)
    np.testing.assert_array_equal(everything(array)[:3], everything(pictures)[:3])


def test_large_pictures_come_in_smaller_blocks(monkeypatch, tmp_path):
    monkeypatch.setattr(picture_sets, "MOST_BYTES", 2 * PICTURES[0].size)
    for path in (folder_of(tmp_path / "a", PICTURES), npz(tmp_path / "a.npz", images=PICTURES)):
        blocks = picture_sets.opened(path, "samples").blocks(64, AS_IT_IS)
        assert [len(block) for block in blocks] == [2, 2, 2, 1]


def test_what_is_no_set_of_pictures_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", r"--samples .*empty has no pictures: no files that end in \.png")
    refused(tmp_path / "none", r"none cannot be read \(it is missing\); give another --samples")
    other = tmp_path / "a.npz"
    refused(npz(other, x=PICTURES), r"holds 'x' and no pictures: save them as images or arr_0")
    refused(npz(other, mu=[1.0], sigma=[2.0]), r"holds 'mu', 'sigma' and .* statistics are not en")
    refused(npz(other, images=PICTURES.astype(int)), r"numbers of type int64: give uint8, or fl")
    refused(npz(other, images=PICTURES[0, 0]), r"shape \(5, 3\): expected \(images, height, width")
    first = PICTURES.transpose(0, 3, 1, 2)
    refused(npz(other, images=first), r"channels seem to come first, so give images\.transpose")
    refused(npz(other, images=PICTURES[:0]), r"shape \(0, 6, 5, 3\)")
    objects = np.array([{}, {}], object)
    refused(npz(other, images=objects), "pickled objects, which are not read")
    floats = np.zeros((3, 4, 4), np.float32)
    floats[1, 2, 3] = np.nan
    refused(npz(other, images=floats), "image 1 has a value of magnitude nan")
    floats[1, 2, 3] = 255
    refused(npz(other, images=floats), r"image 1 has .* 255: give uint8, or floats in \[-1, 1\]")
    other.write_bytes(b"PK\3\4 and so on")
    refused(other, r"cannot be read as an \.npz file of pictures \(File is not a zip file\)")


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=PICTURES)
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    refused(path, "not a zip file")
    at = whole.index(PICTURES.tobytes()[:20])
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(path, "Bad CRC-32")
    content = io.BytesIO()
    np.save(content, PICTURES)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", content.getvalue().replace(b"(7, 6,", b"(9, 6,"))
    refused(path, "its array images is not as large as it says")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x03\x00\x00\x00")
    refused(path, "in an unknown form")
