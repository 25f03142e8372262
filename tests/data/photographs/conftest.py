"""A small encoder in the place of lite0, and a folder of photographs."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.data.photographs import encoding
from tests.data.photographs import test_weights

NAMES = [f"{folder}/{number}.png" for folder in ("a", "b") for number in range(6)]


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Its file of weights; `lite0` is the small network as long as the test lasts."""
    monkeypatch.setitem(encoding.ENCODERS, "lite0", test_weights.TINY)
    return test_weights.written(tmp_path / "tiny.safetensors")


@pytest.fixture
def photographs(tmp_path):
    """A folder of twelve pictures of one colour each, of several sizes."""
    folder = tmp_path / "photographs"
    for number, name in enumerate(NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + number, 30), (20 * number, 100, 255 - 20 * number)).save(path)
    return folder


def vectors(found):
    """All vectors of a set of features, by name."""
    arrays = [features.vector_NF for _, features in found.read()]
    return dict(zip(found.names, np.concatenate(arrays), strict=True))
