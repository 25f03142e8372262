"""Packing: the same bytes each time, also after it was killed; what is broken is told."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jaxgen.data.packing import shards
from jaxgen.data.packing.plan import PackConfig, planned
from jaxgen.data.streaming import set_index
from jaxgen.data.streaming.packed_set import PackedSet
from jaxgen.errors import JaxgenError
from tests.data.packing.folders import contents, fill, packed
from tests.faults import disks


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def four_shards(monkeypatch):
    """Few bytes are a shard."""
    monkeypatch.setattr("jaxgen.data.packing.plan._MEGABYTE", 10_000)


def test_every_file_is_in_the_set_as_it_was_with_its_class(tmp_path):
    folder = fill(tmp_path / "pictures")
    (told,) = packed(folder, tmp_path / "set")
    assert told.startswith("30 pictures, 2 classes, ")
    found = PackedSet.opened(tmp_path / "set")
    assert found.classes == ("cats", "owls") and not found.is_grey
    assert sorted(example.name for example in found) == sorted(
        path.relative_to(folder).as_posix() for path in folder.glob("*/*")
    )
    for place, example in enumerate(found):
        assert example.picture == (folder / example.name).read_bytes()
        assert found.classes[example.label] == example.name.partition("/")[0]
        assert found.label_N[place] == example.label
    labels = found.label_N.tolist()
    assert labels != sorted(labels)


@pytest.mark.usefixtures("four_shards")
def test_packed_twice_it_is_the_same_to_the_byte(tmp_path):
    folder = fill(tmp_path / "pictures")
    packed(folder, tmp_path / "a", shard_mb=1)
    packed(folder, tmp_path / "b", shard_mb=1)
    first = contents(tmp_path / "a")
    assert len(first) > 3
    assert first == contents(tmp_path / "b")
    (told,) = packed(folder, tmp_path / "a", shard_mb=1)
    assert "was packed before, from the same pictures" in told
    assert first == contents(tmp_path / "a")


KILLED = """
import os, signal, sys
from pathlib import Path
from jaxgen.data.packing import pack, plan, shards

plan._MEGABYTE = 10_000
encoded, when = shards.records.encoded, sys.argv[3]

def deadly(example, shard, row):
    if when == "record" and (shard, row) == (2, 3):
        os.kill(os.getpid(), signal.SIGKILL)
    return encoded(example, shard, row)

def before_index(folder, index):
    os.kill(os.getpid(), signal.SIGKILL)

shards.records.encoded = deadly
if when == "index":
    pack.set_index.write = before_index
if when == "notes":
    notes = (shards.NOTE,)
    pack.output_folders.tidy = lambda out, *names: names == notes and before_index(out, None)
pack.pack(plan.PackConfig(Path(sys.argv[1]), Path(sys.argv[2]), shard_mb=1))
"""


@pytest.mark.usefixtures("four_shards")
@pytest.mark.parametrize("when", ["record", "index", "notes"])
def test_killed_while_packing_it_goes_on_and_ends_the_same(tmp_path, when, monkeypatch):
    folder, out = fill(tmp_path / "pictures"), tmp_path / "set"
    packed(folder, tmp_path / "unbroken", shard_mb=1)
    command = [sys.executable, "-c", KILLED, folder, out, when]
    assert subprocess.run(command, timeout=120).returncode == -9
    first = out / min(contents(tmp_path / "unbroken"))
    before = first.stat().st_mtime_ns
    if when != "notes":
        with pytest.raises(JaxgenError, match=r"never finished: it has no set.json"):
            PackedSet.opened(out)
    packed(folder, out, shard_mb=1)
    assert contents(out) == contents(tmp_path / "unbroken")
    assert first.stat().st_mtime_ns == before  # a finished shard is kept


@pytest.mark.usefixtures("four_shards")
@pytest.mark.parametrize("what", ["picture", "shard", "note"])
def test_what_changed_since_packing_was_stopped_is_packed_again(tmp_path, what):
    folder, out = fill(tmp_path / "pictures"), tmp_path / "set"
    packed(folder, tmp_path / "unbroken", shard_mb=1)
    command = [sys.executable, "-c", KILLED, folder, out, "index"]
    assert subprocess.run(command, timeout=120).returncode == -9
    if what == "picture":  # another one of the same size
        path = sorted(folder.glob("*/*.png"))[0]
        path.write_bytes(path.read_bytes())
    else:
        pattern = "part-*" if what == "shard" else f"{shards.NOTE}*"
        path = sorted(out.glob(pattern))[1]
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    packed(folder, out, shard_mb=1)
    assert contents(out) == contents(tmp_path / "unbroken")


def test_broken_pictures_are_told_and_counted(tmp_path, capsys):
    folder = fill(tmp_path / "pictures", 8)
    (folder / "cats" / "text.png").write_text("no picture")
    whole = (folder / "owls" / "003.jpg").read_bytes()
    (folder / "owls" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "owls" / "gone.png").symlink_to("nowhere")
    told = packed(folder, tmp_path / "set")
    assert told[0] == "3 of 11 pictures could not be used"
    said = capsys.readouterr().err
    for name in ("cats/text.png: cannot identify image file\n", "owls/cut.jpg: ", "owls/gone.png"):
        assert f"skipped {folder}/{name}" in said
    assert len(PackedSet.opened(tmp_path / "set")) == 8


def test_a_shard_without_a_single_sound_picture_is_empty(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxgen.data.packing.plan._MEGABYTE", 1)
    folder = fill(tmp_path / "pictures", 4)
    for number in range(4):
        (folder / "cats" / f"broken{number}.png").write_text("x")
    packed(folder, tmp_path / "set", shard_mb=1)
    found = PackedSet.opened(tmp_path / "set")
    assert len(found) == len(list(found)) == 4
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("x")
    with pytest.raises(JaxgenError, match=r"no picture of .*broken can be read"):
        packed(tmp_path / "broken", tmp_path / "other")


def test_large_files_come_one_at_a_time(tmp_path, monkeypatch):
    folder = fill(tmp_path / "pictures", 6)
    monkeypatch.setattr(shards, "_MOST_IN_THREADS", 0)
    packed(folder, tmp_path / "set")
    assert len(PackedSet.opened(tmp_path / "set")) == 6


def test_pictures_with_captions(tmp_path, capsys):
    folder = fill(tmp_path / "pictures", 4)
    captions = {
        "cats/000.png": ["A cat.", "Also a cat, grey."],
        "owls/001.png": ["An owl\u2019s nest"],
        "owls/nowhere.png": ["Nothing"],
    }
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    told = packed(folder, tmp_path / "set", captions=tmp_path / "captions.json")
    assert told[:2] == [
        "1 captions left out: no such picture",
        "2 pictures left out: they have no caption",
    ]
    assert told[2].startswith("2 pictures, 3 captions, ")
    found = {example.name: example for example in PackedSet.opened(tmp_path / "set")}
    assert found.keys() == {"cats/000.png", "owls/001.png"}
    for name, example in found.items():
        assert list(example.captions) == captions[name]
        assert example.picture == (folder / name).read_bytes()


def test_a_disk_that_is_full_is_told_and_leaves_no_part(tmp_path):
    folder, place = fill(tmp_path / "pictures"), tmp_path / "disk"
    place.mkdir()
    if not disks.mount(place, 100):
        pytest.skip("file systems cannot be mounted here")
    try:
        with pytest.raises(OSError, match="No space left on device") as raised:
            packed(folder, place / "set")
        assert raised.value.errno == errno.ENOSPC
        assert contents(place / "set") == {}
    finally:
        disks.unmount(place)


def test_a_disk_that_loses_bytes_without_a_word_is_noticed(tmp_path, monkeypatch):
    def cut(path):
        path.write_bytes(path.read_bytes()[:50_000])

    real = shards.writer_class()

    class Losing:
        def __init__(self, path, options):
            self._path, self._writer = Path(path), real(path, options)
            self.write = self._writer.write

        def close(self):
            self._writer.close()
            cut(self._path)

    monkeypatch.setattr(shards, "writer_class", lambda: Losing)
    folder = fill(tmp_path / "pictures", 60)
    with pytest.raises(OSError, match="cannot be read back"):
        packed(folder, tmp_path / "set")
    assert contents(tmp_path / "set") == {}


def test_folders_that_cannot_be_used_are_refused(tmp_path):
    folder = fill(tmp_path / "pictures", 4)
    with pytest.raises(JaxgenError, match="absent is not a folder; give the one with the pictures"):
        packed(tmp_path / "absent", tmp_path / "set")
    with pytest.raises(JaxgenError, match="there is no folder"):
        packed(folder, tmp_path / "absent" / "set")
    (tmp_path / "file").touch()
    with pytest.raises(JaxgenError, match="file is not a folder"):
        packed(folder, tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(JaxgenError, match=r"has something else in it \(letter.txt\)"):
        packed(folder, tmp_path / "full")
    packed(folder, tmp_path / "set")
    fill(folder, 2, seed=5)
    with pytest.raises(JaxgenError, match="is a set of other pictures"):
        packed(folder, tmp_path / "set")
    with pytest.raises(JaxgenError, match="shard_mb must be at least 1"):
        packed(folder, tmp_path / "other", shard_mb=0)
    with pytest.raises(JaxgenError, match=r"no caption of .* is about a picture of"):
        (tmp_path / "captions.csv").write_text("image,caption\nx.png,text\n")
        packed(folder, tmp_path / "other", captions=tmp_path / "captions.csv")


def test_there_are_never_more_shards_than_files_may_be_open(tmp_path, monkeypatch):
    folder = fill(tmp_path / "pictures", 12)
    monkeypatch.setattr("jaxgen.data.packing.plan._MEGABYTE", 1)
    monkeypatch.setattr(set_index, "MOST_SHARDS", 5)
    plan = planned(PackConfig(folder, tmp_path, shard_mb=1))
    assert len(plan.shards) == 5
    assert [place for places in plan.shards for place in places] == list(range(12))


def test_the_command(tmp_path, run_module):
    folder = fill(tmp_path / "pictures", 4)
    status, told = run_module("jaxgen", "pack", folder, "--out", tmp_path / "set")
    assert status == 0 and "4 pictures, 2 classes" in told
    status, told = run_module("jaxgen", "pack", folder, "--out", tmp_path / "no" / "set")
    assert status == 2 and told.startswith("error: --out ") and "Traceback" not in told
