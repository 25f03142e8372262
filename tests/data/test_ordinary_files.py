"""What is no ordinary file is refused by every reader, and none waits for it."""

import os
import subprocess
import sys

import pytest

from jaxgen.data import ordinary_files
from jaxgen.errors import JaxgenError


def made(path, kind):
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a ring of links":
        path.symlink_to(path.name)
    elif kind == "a link to nowhere":
        path.symlink_to("absent")
    return path


CASES = [
    ("a pipe", "it is a pipe or a device, not a file"),
    ("a device", "it is a pipe or a device, not a file"),
    ("a folder", "it is a folder, not a file"),
    ("a ring of links", "Too many levels of symbolic links"),
    ("a link to nowhere", "it is missing"),
    ("nothing", "it is missing"),
]


@pytest.mark.parametrize(("kind", "reason"), CASES)
def test_what_is_no_file_is_refused_in_one_sentence(tmp_path, kind, reason):
    path = made(tmp_path / "file", kind)
    for refused in (
        lambda: ordinary_files.check(path, "give another"),
        lambda: ordinary_files.contents(path, "give another", 9),
        lambda: ordinary_files.text(path, "give another"),
    ):
        with pytest.raises(JaxgenError) as raised:
            refused()
        assert str(raised.value) == f"{path} cannot be read ({reason}); give another"


def test_a_path_with_a_zero_byte_is_refused(tmp_path):
    with pytest.raises(JaxgenError, match="null byte"):
        ordinary_files.check(tmp_path / "a\0b", "give another")


def test_contents_and_text_up_to_a_size(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfd\xc3\xa9j\xc3\xa0")  # with the mark of UTF-8
    assert ordinary_files.contents(path, "", 9) == path.read_bytes()
    assert ordinary_files.text(path, "", 9) == "d\u00e9j\u00e0"
    with pytest.raises(JaxgenError, match=r"file cannot be read \(9 bytes are more than 8\); go$"):
        ordinary_files.text(path, "go", 8)
    path.write_bytes(b"\xff")
    with pytest.raises(JaxgenError, match=r"file cannot be read \('utf-8' codec .*\); go$"):
        ordinary_files.text(path, "go")


READERS = {
    "HDF5": "hdf5.open_file(path).__enter__()",
    "IDX": "idx.read(path, rank=1)",
    "IDX, compressed": "idx.read(path.rename(path.with_suffix('.gz')), rank=1)",
    "captions": "caption_files.read(path)",
    "features": "image_features.read(path, 1)",
    "vocabulary": "course_files._read_vocabulary(path)",
    "weights": "features.load_weights(path)",
    "a run's JSON": "run_folder.read_json(path)",
    "a picture": "print(fetch.fetch('file', path.parent)[1])",
}


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder"])
def test_no_reader_opens_anything_else(tmp_path, kind):
    """In a process that is killed if it waits, so that a fault fails and does not hang."""
    for number in range(len(READERS)):
        (tmp_path / str(number)).mkdir()
        made(tmp_path / str(number) / "file", kind)
    code = f"""
from pathlib import Path
from jaxgen.data import fetch, hdf5
from jaxgen.data.captions import caption_files, course_files, image_features
from jaxgen.data.images import idx
from jaxgen.data.scenes import features
from jaxgen.training import run_folder
for number in range({len(READERS)}):
    path = Path({str(tmp_path)!r}) / str(number) / "file"
    try:
        exec({list(READERS.values())!r}[number])
    except ValueError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    told = done.stdout.splitlines()
    expected = dict(CASES)[kind]
    assert [expected in line for line in told] == [True] * len(READERS), told
