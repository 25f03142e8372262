"""The cached folder of scenes: made when need be, whole or not at all."""

import json
import os
import shutil

import h5py
import numpy as np
import pytest

from jaxgen.data.scenes import build, files
from jaxgen.errors import JaxgenError


@pytest.fixture
def copied(made, in_tmp_cache):
    """The tiny set in the cache folder of this test."""
    return shutil.copytree(made, in_tmp_cache / made.name)


def flip_a_bit(path):
    contents = bytearray(path.read_bytes())
    contents[-100] ^= 1
    path.write_bytes(contents)


def test_a_damaged_set_is_made_again_to_the_last_byte(made, copied, tiny):
    flip_a_bit(copied / "train2014_grid.h5")
    assert build.ensure(tiny) == copied
    files = [{path.name: path.read_bytes() for path in set_.iterdir()} for set_ in (made, copied)]
    assert files[0] == files[1]
    assert [path.name for path in copied.parent.iterdir()] == [copied.name]  # nothing left over


def tell_no_hash(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": {}}))


def change_version(copied, monkeypatch):
    monkeypatch.setattr(build, "VERSION", build.VERSION + 1)


@pytest.mark.parametrize(
    ("change", "builds"),
    [
        (lambda copied, _: None, 0),
        (lambda copied, _: flip_a_bit(copied / "images.h5"), 1),
        (lambda copied, _: (copied / "val2014_urls.txt").unlink(), 1),
        (lambda copied, _: (copied / "manifest.json").write_text("[]"), 1),
        (lambda copied, _: (copied / "manifest.json").write_text("{"), 1),
        (lambda copied, _: (copied / "manifest.json").write_text("[" * 100_000), 1),
        (lambda copied, _: tell_no_hash(copied / "manifest.json"), 1),
        (lambda copied, _: (copied / ".DS_Store").touch(), 0),
        (change_version, 1),
    ],
)
def test_a_set_is_made_only_if_need_be(copied, tiny, monkeypatch, change, builds):
    built = []
    monkeypatch.setattr(build, "build", lambda *arguments: built.append(arguments))
    change(copied, monkeypatch)
    build.ensure(tiny)
    assert len(built) == builds


def test_a_broken_off_build_leaves_nothing(in_tmp_cache, tiny, monkeypatch):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "describe", fail)
    with pytest.raises(KeyboardInterrupt):
        build.ensure(tiny)
    assert list(in_tmp_cache.iterdir()) == []


def test_what_cannot_be_made_is_told(tmp_path, tiny, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(JaxgenError, match="set JAXGEN_CACHE_DIR"):
        build.ensure(tiny)
    for number, least in (("train", 1), ("validation", 1), ("seed", 0)):
        with pytest.raises(JaxgenError, match=f"^{number} must be at least {least}, got -1$"):
            build.ensure(build.ScenesConfig(**{number: -1}))


def test_the_manifest_is_what_0_1_0_wrote(made):
    # Origin: jaxgen 0.1.0. Another form makes every set in users' caches again.
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["version"] == 1
    assert manifest["config"] == {"train": 12, "val": 5, "seed": 3}
    assert manifest["weights"].startswith("c026cb00b338")
    assert made.name == "scenes-12-5-3"
    assert set(manifest["sha256"]) == {path.name for path in made.iterdir()} - {"manifest.json"}


def test_the_command_prints_the_folder_or_one_sentence(made, copied, run_module):
    code, told = run_module(
        "jaxgen.data.scenes.build", "--train", 12, "--validation", 5, "--seed", 3
    )
    assert (code, told) == (0, f"{copied}\n")
    code, told = run_module("jaxgen.data.scenes.build", "--validation", 0)
    assert (code, told) == (2, "error: --validation must be at least 1, got 0\n")


def test_h5_files_have_the_keys_of_coco(made):
    with h5py.File(made / "coco2014_captions.h5") as file:
        assert {name: file[name].shape for name in file} == {
            "train_captions": (60, 17),
            "train_image_idxs": (60,),
            "val_captions": (25, 17),
            "val_image_idxs": (25,),
        }
        assert {file[name].dtype for name in file} == {np.dtype(np.int32)}


def test_what_killed_builds_left_a_day_ago_is_removed(in_tmp_cache, tiny):
    names = ("tmpabc.tmp", ".partial-abc", ".partial-young")  # the first as 0.1.0 had it
    for name in names:
        (in_tmp_cache / name).mkdir(parents=True)
        (in_tmp_cache / name / "made").touch()
    for name in names[:2]:
        os.utime(in_tmp_cache / name, (0, 0))
    build.ensure(tiny)
    left = {path.name for path in in_tmp_cache.iterdir()}
    assert left & set(names) == {".partial-young"}
