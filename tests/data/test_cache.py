"""The cache of parsed data sets: never stale, never trusted blindly, never required."""

import os

import numpy as np
import pytest

from jaxgen.data import cache

ARRAYS = {"image": np.arange(60, dtype=np.uint8).reshape(5, 4, 3), "label": np.arange(5)}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"contents")
    return path


@pytest.fixture
def parsed(tmp_path, monkeypatch, source):
    """`parsed()` gives the arrays through the cache; `parsed.count` tells how often it parsed."""
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "cache" / "nested"))

    def parse():
        call.count += 1
        return ARRAYS

    def call():
        arrays = cache.parsed("set", [source], parse)
        assert sorted(arrays) == ["image", "label"]
        for key, expected in ARRAYS.items():
            np.testing.assert_array_equal(arrays[key], expected)
            assert arrays[key].dtype == expected.dtype
        return arrays

    call.count = 0
    return call


def test_the_second_call_does_not_parse(parsed):
    parsed()
    parsed()
    assert parsed.count == 1
    assert [path.name for path in cache.folder().iterdir()] == ["set.npz"]


def test_a_changed_source_is_parsed_anew(parsed, source):
    parsed()
    before = source.stat()
    source.write_bytes(b"changed!")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))  # same size, same time
    parsed()
    assert parsed.count == 2


def test_any_flipped_byte_is_noticed_or_harmless(parsed):
    parsed()
    path = cache.folder() / "set.npz"
    sound = path.read_bytes()
    for position in range(0, len(sound), 7):
        damaged = bytearray(sound)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        parsed()  # compares with the true arrays


def test_a_flipped_byte_of_an_array_is_mended(parsed):
    parsed()
    path = cache.folder() / "set.npz"
    sound = path.read_bytes()
    path.write_bytes(sound.replace(ARRAYS["image"].tobytes(), bytes(60)))
    parsed()
    assert parsed.count == 2
    parsed()
    assert parsed.count == 2


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04"])
def test_a_file_that_is_no_npz_is_replaced(parsed, content):
    parsed()
    (cache.folder() / "set.npz").write_bytes(content)
    parsed()
    parsed()
    assert parsed.count == 2


def test_a_folder_that_cannot_be_made_is_not_fatal(parsed, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    parsed()
    parsed()
    assert parsed.count == 2


def test_a_failed_replacement_leaves_no_temporary_file(parsed):
    (cache.folder() / "set.npz").mkdir(parents=True)
    parsed()
    assert [path.name for path in cache.folder().iterdir()] == ["set.npz"]


def test_a_pipe_in_place_of_a_file_does_not_hang(parsed):
    cache.folder().mkdir(parents=True)
    os.mkfifo(cache.folder() / "set.npz")
    parsed()
    parsed()
    assert parsed.count == 1


def test_what_killed_processes_left_a_day_ago_goes_when_the_file_is_written(parsed):
    cache.folder().mkdir(parents=True)
    old, new = (cache.folder() / f".partial-{pid}-set.npz" for pid in (77, 78))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    parsed()
    assert {path.name for path in cache.folder().iterdir()} == {"set.npz", new.name}
