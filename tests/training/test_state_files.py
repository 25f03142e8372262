"""States in several files: any part is read from where it is, and what is missing is told."""

import numpy as np
import pytest

from jaxgen.training import state_files
from jaxgen.training.checkpoints import Checkpoints
from jaxgen.training.state_files import Damaged, Piece

WHOLE = np.arange(48, dtype=np.float32).reshape(6, 8)
TREE = {"w": WHOLE, "bias": np.ones(3), "count": np.int32(7)}
MARKS = ["first", "second"]


def parts(*places):
    """Parts of `w`: its rows and columns from each place on, 3 by 4."""
    return [
        Piece("['w']", WHOLE[row : row + 3, column : column + 4], (row, column), WHOLE.shape)
        for row, column in places
    ]


def write(folder, step=5, marks=None):
    """A checkpoint of two files, each with half of `w`."""
    folder.mkdir(parents=True)
    owned = (
        [Piece("['bias']", TREE["bias"]), *parts((0, 0), (3, 4))],
        [Piece("['count']", np.asarray(TREE["count"])), *parts((0, 4), (3, 0))],
    )
    found = [state_files.checksum(own) for own in owned]
    for process, own in enumerate(owned):
        told = {"step": step, "row": {}, "checksum": found[process], "checksums": marks or found}
        state_files.write(folder / state_files.file_name(process, 2), TREE, own, told)
    return folder


def test_any_part_is_put_together(tmp_path):
    files = state_files.files_of(write(tmp_path / "5"))
    for file in files:
        file.verify()
    state = state_files.state_of(files)
    np.testing.assert_array_equal(np.asarray(state["w"]), WHOLE)
    assert (state["w"].shape, state["w"].dtype) == ((6, 8), np.float32)
    for index in (
        (slice(2, 5), slice(3, 6)),
        (slice(0, 1), slice(None)),
        (slice(4, 6),),
        slice(1, 2),
    ):
        np.testing.assert_array_equal(state["w"][index], WHOLE[index])
    assert np.asarray(state["count"]) == 7 and state["count"].shape == ()
    np.testing.assert_array_equal(np.asarray(state["bias"]), np.ones(3))
    restored = Checkpoints(tmp_path).restore()
    assert restored is not None and restored.step == 5
    np.testing.assert_array_equal(np.asarray(restored.state["w"]), WHOLE)


def test_a_missing_or_foreign_file_is_damage(tmp_path):
    folder = write(tmp_path / "5")
    (folder / state_files.file_name(1, 2)).rename(tmp_path / "gone")
    with pytest.raises(Damaged, match=r"state-00001-of-00002\.safetensors is missing"):
        state_files.files_of(folder)
    other = write(tmp_path / "6", marks=MARKS)
    with pytest.raises(Damaged, match="of several checkpoints"):
        state_files.files_of(other)
    lacking = tmp_path / "7"
    lacking.mkdir()
    told = {"step": 7, "row": {}, "checksum": state_files.checksum(parts((0, 0)))}
    state_files.write(lacking / state_files.file_name(0, 1), {"w": WHOLE}, parts((0, 0)), told)
    with pytest.raises(Damaged, match=r"\['w'\] is not there in full"):
        state_files.state_of(state_files.files_of(lacking))


def test_a_flipped_bit_in_either_file_is_found_by_who_verifies_it(tmp_path):
    for process in range(2):
        path = write(tmp_path / str(process)) / state_files.file_name(process, 2)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        files = state_files.files_of(path.parent)
        files[1 - process].verify()
        with pytest.raises(Damaged, match="do not match their checksum"):
            files[process].verify()


def test_processes_share_the_whole_arrays_of_a_state():
    shares = [state_files.pieces(TREE, process, 2) for process in range(2)]
    assert [[piece.name for piece in own] for own in shares] == [
        ["['bias']", "['w']"],
        ["['count']"],
    ]
