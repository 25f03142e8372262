"""The pictures of the streaming benchmark, and what decoding them is said to cost."""

import argparse

import pytest
from PIL import Image

from benchmarks import streaming
from tests.data.packing.folders import packed


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def test_pictures_are_functions_of_their_numbers(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        streaming.make(tmp_path / name, 998, 1002)
    first, second = (sorted((tmp_path / name).glob("*/*.jpg")) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert [path.parent.name for path in first] == ["0000", "0000", "0001", "0001"]
    assert len({path.read_bytes() for path in first}) == 4
    with Image.open(first[0]) as picture:
        assert (picture.size, picture.mode) == ((64, 64), "RGB")


def test_decoding_costs_processor_time(tmp_path):
    (tmp_path / "pictures").mkdir()
    streaming.make(tmp_path / "pictures", 0, 40)
    packed(tmp_path / "pictures", tmp_path / "set")
    cost = streaming.decoding(tmp_path / "set", argparse.Namespace(pictures=40))
    assert 10 < cost["core_us"] < 1e5
    assert cost["wall_us"] > 0
