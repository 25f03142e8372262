"""HDF5 files that announce what they do not hold, that link elsewhere, or that are damaged."""

import resource

import h5py
import numpy as np
import pytest

from jaxgen.data import hdf5
from jaxgen.errors import JaxgenError

SOUND = np.arange(12, dtype=np.int32).reshape(4, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.h5"


def refusal(path, key="a", rank=2, kind="iu"):
    with pytest.raises(JaxgenError) as raised, hdf5.open_file(path) as file:
        hdf5.read(file, key, rank, kind)
    told = str(raised.value)
    assert told.startswith(str(path)) and told.isprintable()
    return told.removeprefix(str(path))


def test_sound_arrays_of_every_layout_are_read(path):
    layouts = {
        "contiguous": {},
        "chunked": {"chunks": (3, 2)},
        "packed": {"chunks": (3, 2), "compression": "gzip", "shuffle": True, "fletcher32": True},
        "growing": {"maxshape": (None, None), "chunks": (16, 16)},
        "group/inside": {},
    }
    with h5py.File(path, "w") as file:
        for key, options in layouts.items():
            file.create_dataset(key, data=SOUND, **options)
    with hdf5.open_file(path) as file:
        for key in layouts:
            found = hdf5.dataset(file, key, 2, "iu")
            np.testing.assert_array_equal(hdf5.read(file, key, 2, "iu"), SOUND)
            np.testing.assert_array_equal(hdf5.rows(found, np.array([0, 3])), SOUND[[0, 3]])
            np.testing.assert_array_equal(hdf5.rows(found, 2), SOUND[2])


def test_an_array_that_compresses_well_is_read(path):
    zeros = np.zeros((2**10, 2**10), np.int32)  # 4 MiB, which deflate packs a thousandfold
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=zeros, compression="gzip", compression_opts=9)
    assert path.stat().st_size < 20_000
    with hdf5.open_file(path) as file:
        np.testing.assert_array_equal(hdf5.read(file, "a", 2, "iu"), zeros)


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (2**40, 3), "chunks": (1024, 3)},
        {"shape": (2**40, 3), "chunks": (1024, 3), "fillvalue": 1},
        {"shape": (2**40, 3), "chunks": (1024, 3), "compression": "gzip"},
        {"shape": (2**31, 3)},
    ],
)
def test_what_was_never_written_takes_no_memory(path, options):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", dtype="i4", **options)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "of them; replace it" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # of kilobytes


def test_what_was_written_in_part_is_refused(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (2000, 3), "i4", chunks=(1000, 3), compression="gzip")
        file["a"][:1000] = np.random.default_rng(0).integers(0, 2**31, (1000, 3), np.int32)
    assert " key a was never written whole" in refusal(path)


def test_limits_of_values_rows_and_parts(path, monkeypatch):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=SOUND, chunks=(4, 3))
    monkeypatch.setattr(hdf5, "MOST_VALUES", 11)
    assert "announces 12 values, more than the 11 that are read" in refusal(path)
    monkeypatch.setattr(hdf5, "MOST_CHUNK_BYTES", 47)
    assert "is in parts of (4, 3), more than 47 bytes" in refusal(path)
    monkeypatch.setattr(hdf5, "MOST_ROW_BYTES", 11)
    assert "announces rows of more than 11 bytes: its shape is (4, 3)" in refusal(path)


@pytest.mark.parametrize(
    "link",
    [h5py.SoftLink("/a"), h5py.SoftLink("/nowhere"), h5py.ExternalLink("/dev/zero", "/a")],
)
def test_links_are_not_followed(path, link):
    with h5py.File(path, "w") as file:
        file["a"] = link
        file["b"] = SOUND
    assert refusal(path) == " has no array 'a' but 'a', 'b'; replace it"


def test_a_ring_of_groups_and_links_on_the_way_are_refused(path):
    with h5py.File(path, "w") as file:
        file.create_group("g")["up"] = file["/"]
        file["g/a"] = SOUND
        file["soft"] = h5py.SoftLink("/g")
    assert "has no array 'soft/a'" in refusal(path, "soft/a")
    with hdf5.open_file(path) as file:
        np.testing.assert_array_equal(hdf5.read(file, "g/up/g/a", 2, "iu"), SOUND)


def test_what_is_kept_in_other_files_is_refused(path):
    layout = h5py.VirtualLayout((4, 3), "i4")
    layout[:] = h5py.VirtualSource("other.h5", "a", (4, 3))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("a", layout)
        file.create_dataset("b", (4, 3), "i4", external=[("/dev/zero", 0, 2**20)])
    for key in ("a", "b"):
        assert f" key {key} is kept in other files" in refusal(path, key)


def test_every_flipped_byte_makes_a_sentence_or_an_array(path):
    """Each byte of a small file in turn: h5py raises six kinds of exceptions on the way."""
    with h5py.File(path, "w") as file:
        file["a"] = SOUND
        file["b"] = SOUND
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            with hdf5.open_file(path) as file:
                assert hdf5.read(file, "a", 2, "iu").shape == SOUND.shape
        except JaxgenError as error:
            assert str(error).isprintable()
            refused += 1
    assert refused > 50
