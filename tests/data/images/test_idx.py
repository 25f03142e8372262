"""IDX files: sound ones are read as they are, each kind of damage has its own sentence."""

import gzip
import struct

import numpy as np
import pytest

from jaxgen.data.images import idx
from jaxgen.data.images.base import load_images
from jaxgen.data.images.idx import Idx
from jaxgen.errors import JaxgenError

IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"
IMAGE_NHW = (np.arange(6 * 28 * 28) % 251).astype(np.uint8).reshape(6, 28, 28)
LABEL_N = np.array([3, 1, 4, 1, 5, 9], np.uint8)


def encode(array, type_code=0x08):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, type_code, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / f"{IMAGES}.gz").write_bytes(gzip.compress(encode(IMAGE_NHW), mtime=0))
    (tmp_path / f"{LABELS}.gz").write_bytes(gzip.compress(encode(LABEL_N), mtime=0))
    return tmp_path


def load(folder, **fields):
    return load_images(Idx(dir=str(folder), **fields))


def refusal(folder):
    with pytest.raises(JaxgenError) as raised:
        load(folder)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_the_first_images_are_for_training(folder):
    data = load(folder, train=3)
    np.testing.assert_array_equal(data["image"], IMAGE_NHW[:3, ..., None])
    np.testing.assert_array_equal(data["label"], [3, 1, 4])
    assert data["image"].dtype == np.uint8
    assert data["label"].dtype == np.int32


def test_uncompressed_files_are_read_too(tmp_path):
    (tmp_path / IMAGES).write_bytes(encode(IMAGE_NHW))
    (tmp_path / LABELS).write_bytes(encode(LABEL_N))
    np.testing.assert_array_equal(load(tmp_path)["image"], IMAGE_NHW[..., None])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(encode(IMAGE_NHW), mtime=0)[:-40], "is truncated"),
        (
            gzip.compress(encode(IMAGE_NHW)[:-1], mtime=0),
            "is truncated: its header announces 4704 bytes",
        ),
        (gzip.compress(encode(IMAGE_NHW) + b"\0", mtime=0), "goes on after its last element"),
        (gzip.compress(encode(IMAGE_NHW)[:9], mtime=0), "truncated inside its header"),
        (gzip.compress(b"", mtime=0), "not an IDX file"),
        (encode(IMAGE_NHW), "not a sound gzip file"),
        (gzip.compress(encode(IMAGE_NHW), mtime=0)[:-8] + bytes(8), "not a sound gzip file"),
        (gzip.compress(b"\x89PNG" + bytes(100), mtime=0), "not an IDX file: it starts with"),
        (
            gzip.compress(encode(IMAGE_NHW, type_code=0x0D), mtime=0),
            "type 0x0d; only unsigned bytes",
        ),
        (gzip.compress(encode(LABEL_N), mtime=0), "rank 1; rank 3 is expected"),
        (gzip.compress(encode(IMAGE_NHW[:0]), mtime=0), "is empty"),
        (gzip.compress(encode(IMAGE_NHW[:5]), mtime=0), "has 5 images but .* has 6 labels"),
    ],
)
def test_an_unsound_image_file_is_refused(folder, content, message):
    path = folder / f"{IMAGES}.gz"
    path.write_bytes(content)
    with pytest.raises(JaxgenError, match=message) as raised:
        load(folder)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_absurd_size_is_refused_before_it_is_unpacked(folder):
    header = struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(header, mtime=0))
    assert "more than the 1073741824 that are read" in refusal(folder)


def test_no_more_is_unpacked_than_the_header_announces(folder, monkeypatch):
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(encode(IMAGE_NHW) + bytes(10**6), mtime=0))
    unpacked = []
    read = gzip.GzipFile.read

    def counting(file, size=-1):
        data = read(file, size)
        unpacked.append(len(data))
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counting)
    assert "goes on after its last element" in refusal(folder)
    assert sum(unpacked) == len(encode(IMAGE_NHW)) + 1


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_zeros_after_the_end_are_not_read(folder, suffix):
    """Python's gzip would read a gigabyte of them one by one, for ten minutes."""
    path = folder / f"{IMAGES}.gz"
    if not suffix:
        path.unlink()
        path = folder / IMAGES
        path.write_bytes(encode(IMAGE_NHW))
    with path.open("ab") as file:
        file.truncate(2**30)  # takes no room on the disk
    assert "goes on after its last element" in refusal(folder)


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_a_missing_file_is_named(folder, name):
    (folder / f"{name}.gz").unlink()
    assert f"has neither {name}.gz nor {name}" in refusal(folder)


def test_images_of_any_shape_are_read(folder):
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(encode(IMAGE_NHW[:, :14]), mtime=0))
    assert load(folder)["image"].shape == (6, 14, 28, 1)


def test_a_folder_is_needed(tmp_path):
    assert refusal("") == "data set 'idx' needs the folder with the IDX files: give data.dir"
    assert "is not a folder" in refusal(tmp_path / "absent")
    assert "is not a folder" in refusal("~no-such-user/idx")


def test_a_file_that_may_not_be_read_is_an_error_with_its_path(tmp_path):
    with pytest.raises(JaxgenError, match=r"absent cannot be read \(it is missing\)"):
        idx.read(tmp_path / "absent", rank=1)
