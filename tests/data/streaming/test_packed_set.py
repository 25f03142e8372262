"""A packed set that is damaged is told with file and record, at its opening or at the record."""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jaxgen.data.streaming import packed_set, set_index
from jaxgen.data.streaming.packed_set import PackedSet
from jaxgen.errors import JaxgenError
from tests.data.packing.folders import fill, packed

SHARD = "part-00001-of-00003.array_record"
RECORDS = 10


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A set of three shards of ten pictures."""
    place = tmp_path_factory.mktemp("sound")
    folder = fill(place / "pictures")
    third = -(-sum(path.stat().st_size for path in folder.glob("*/*")) // 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxgen.data.packing.plan._MEGABYTE", third)
        packed(folder, place / "set", shard_mb=1)
    return place / "set"


@pytest.fixture
def copy(tmp_path, sound, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "cache"))
    return shutil.copytree(sound, tmp_path / "set")


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def place_of(path, row, of=b"JGP1"):
    """Where a record of the second shard begins in the file."""
    found = path.read_bytes().find(of + (1).to_bytes(4, "little") + row.to_bytes(4, "little"))
    assert found > 0
    return found


def refusal(folder):
    with pytest.raises(JaxgenError) as raised:
        PackedSet.opened(folder)
    assert str(raised.value).isprintable()
    assert str(raised.value).endswith("pack the pictures again, or copy the set anew")
    return str(raised.value)


@pytest.mark.parametrize("row", [0, 4, RECORDS - 1])
def test_an_altered_byte_is_told_with_its_record(copy, row):
    path = copy / SHARD
    flip(path, place_of(path, row) + 60)
    assert f"{path} is altered at record {row} of 10 (its SHA-256 is another)" in refusal(copy)


def test_an_altered_byte_of_the_librarys_own_is_told(copy):
    path = copy / SHARD
    flip(path, 0)
    assert f"{path} is altered beside its 10 records" in refusal(copy)
    flip(path, 0)
    flip(path, place_of(path, 3) - 10)  # its header of the record
    assert f"{path} is altered at record 3 of 10" in refusal(copy)


@pytest.mark.parametrize("row", [0, 4, RECORDS - 1])
def test_a_truncated_shard_is_told_with_the_first_record_that_is_lost(copy, row):
    path = copy / SHARD
    size, cut = path.stat().st_size, place_of(path, row) + 60
    os.truncate(path, cut)
    expected = f"{path} is truncated from record {row} of 10 on ({cut} of {size} bytes)"
    assert expected in refusal(copy)


def test_other_lengths_are_told(copy):
    path = copy / SHARD
    size = path.stat().st_size
    os.truncate(path, size - 1)
    assert f"{path} is truncated after its 10 records" in refusal(copy)
    os.truncate(path, size + 1)
    assert f"altered beside its 10 records ({size + 1} bytes, not {size})" in refusal(copy)
    path.write_bytes(b"")
    assert "truncated from record 0 of 10 on (0 of" in refusal(copy)


def test_a_shard_that_is_gone_or_another_one_is_told(copy):
    shutil.copy(copy / SHARD.replace("00001-", "00002-"), copy / SHARD)
    assert "altered at record 0 of 10" in refusal(copy)
    (copy / SHARD).unlink()
    assert f"{copy / SHARD} cannot be read (it is missing)" in refusal(copy)
    os.mkfifo(copy / SHARD)
    assert "a pipe or a device" in refusal(copy)


def test_an_altered_index_is_told(copy):
    path = copy / set_index.NAME
    whole = path.read_text()
    for altered in (whole.replace("[0,", "[1,", 1), whole[:-1], whole[:50], "[]", "{}", "1" * 9000):
        path.write_text(altered)
        assert f"{path} is damaged" in refusal(copy)
    path.unlink()
    with pytest.raises(JaxgenError, match=r"never finished: it has no set\.json; `jaxgen pack"):
        PackedSet.opened(copy)


def test_an_index_of_another_form_is_told_also_where_its_seal_holds(copy):
    path = copy / set_index.NAME
    index = set_index.read(copy)
    shards = index.shards
    for other, words in [
        ({"classes": ("one",)}, "is damaged (ValueError in its entries)"),
        ({"shards": ()}, "announces 0 pictures"),
        ({"shards": shards * 400}, "in 1200 shards"),
    ]:
        set_index.write(copy, set_index.SetIndex(**(vars(index) | other)))
        assert words in refusal(copy)
    later = set_index.sealed({"format": 9})
    path.write_text(set_index.json.dumps(later))
    with pytest.raises(JaxgenError, match="has format 9, and this version of jaxgen reads 1"):
        PackedSet.opened(copy)


def test_what_is_damaged_while_it_is_used_is_told_at_the_record(copy):
    opened = PackedSet.opened(copy)
    path = copy / SHARD
    flip(path, place_of(path, 7) + 60)
    examples = [place for place in range(len(opened)) if place != 17]
    assert all(opened.example(place).picture for place in examples)
    assert all(example.picture for example in opened.examples(examples))
    for read in (opened.example, lambda place: opened.examples([3, place, 29])):
        with pytest.raises(
            JaxgenError, match=rf"{path} record 7 of 10 is damaged \(.*pack the pict"
        ):
            read(17)


def test_hashes_are_taken_once_until_a_file_changes(copy, monkeypatch):
    looked = []
    monkeypatch.setattr(packed_set, "_is_sound", lambda path, shard: bool(looked.append(path)) or 1)
    for _ in range(2):
        PackedSet.opened(copy)
    assert len(looked) == 3
    os.utime(copy / SHARD, ns=(0, 1))
    PackedSet.opened(copy)
    assert len(looked) == 6


def test_a_set_too_large_to_be_hashed_is_checked_record_by_record(copy, monkeypatch, capsys):
    monkeypatch.setattr(packed_set, "MOST_HASHED", 1000)
    flip(copy / SHARD, place_of(copy / SHARD, 7) + 60)
    opened = PackedSet.opened(copy)
    assert "each record is checked when it is read, not before" in capsys.readouterr().err
    with pytest.raises(JaxgenError, match="record 7 of 10 is damaged"):
        opened.example(17)


def test_many_threads_read_at_once(copy):
    opened = PackedSet.opened(copy)
    expected = [example.name for example in opened]
    places = np.random.default_rng(0).integers(0, 30, 2000).tolist()
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda place: opened.example(place).name, places)
        assert list(found) == [expected[place] for place in places]
        blocks = [places[start : start + 128] for start in range(0, 2000, 128)]
        found = [example.name for block in pool.map(opened.examples, blocks) for example in block]
        assert found == [expected[place] for place in places]
    for read in (opened.example, lambda place: opened.examples([0, place])):
        with pytest.raises(IndexError, match="there are 30 examples, and none at 30"):
            read(30)


def test_few_large_examples_are_read_at_once_and_many_small_ones(copy, monkeypatch):
    opened = PackedSet.opened(copy)
    assert opened.together == 128
    size = sum(path.stat().st_size for path in copy.glob("*.array_record")) // 30
    for most, expected in ((4 * size, 4), (size - 1, 1)):
        monkeypatch.setattr(packed_set, "_BYTES_TOGETHER", most)
        assert opened.together == expected


def test_without_grain_the_command_that_installs_it_is_told(copy, monkeypatch):
    monkeypatch.setitem(sys.modules, "grain", None)
    monkeypatch.setitem(sys.modules, "grain.sources", None)
    with pytest.raises(JaxgenError, match=r"read by Grain .*`pip install 'jaxgen\[stream\]'`"):
        PackedSet.opened(copy)
