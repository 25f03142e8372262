"""Checkpoints: exact, and damage never passes for data."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.training.checkpoints import Checkpoints, checksum, refuse_misfit

STATE = {"params": {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}, "stats": {}, "count": 3}


def state_at(step):
    return STATE | {"count": step}


@pytest.fixture
def checkpoints(tmp_path):
    made = Checkpoints(tmp_path / "checkpoints", keep=2)
    for step in (10, 20, 30):
        made.save(step, state_at(step))
    return made


def largest_file(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def test_keeps_the_newest_and_restores_exactly(checkpoints):
    assert checkpoints.steps() == [20, 30]
    restored = checkpoints.restore()
    assert (restored.step, restored.damaged) == (30, {})
    assert checksum(restored.state) == checksum(state_at(30))
    assert restored.state["stats"] == {}
    assert restored.state["count"].shape == ()
    assert restored.state["params"]["w"].dtype == np.float32


def test_a_flipped_bit_anywhere_falls_back(checkpoints, tmp_path):
    (path,) = (tmp_path / "checkpoints" / "30").iterdir()
    original = path.read_bytes()
    for place in range(len(original)):
        damaged = bytearray(original)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        restored = checkpoints.restore()
        assert (restored.step, list(restored.damaged)) == (20, [30])
        assert checksum(restored.state) == checksum(state_at(20))


def test_names_that_look_alike_stay_apart(tmp_path):
    state = {"a.b": np.zeros(1), "a": {"b": np.ones(1), "['c']": np.ones((2, 3), order="F") * 2}}
    checkpoints = Checkpoints(tmp_path)
    mark = checkpoints.save(1, state, {"step": "1", "loss": "0.5"})
    restored = checkpoints.restore()
    assert checksum(restored.state) == mark == checksum(state)
    assert restored.row == {"step": "1", "loss": "0.5"}


def test_what_killed_processes_left_is_swept_and_never_taken_for_a_checkpoint(checkpoints):
    folder = checkpoints._folder
    (folder / "30").rename(folder / ".partial-1-30")
    assert checkpoints.restore().step == 20
    checkpoints.sweep()
    assert [path.name for path in folder.iterdir()] == ["20"]


def test_memory_does_not_grow_with_checkpoints(tmp_path):
    """Orbax, which wrote them in 0.1.0, kept 320 bytes an array: 1.5 MB here."""

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    checkpoints = Checkpoints(tmp_path)
    state = {str(i): np.zeros(10) for i in range(50)}
    for step in range(100):
        checkpoints.save(step, state)
    before = resident()
    for step in range(100, 200):
        checkpoints.save(step, state)
    assert resident() - before < 500_000


def test_a_lost_file_falls_back_saying_so(checkpoints, tmp_path):
    largest_file(tmp_path / "checkpoints" / "30").unlink()
    restored = checkpoints.restore()
    assert restored.step == 20
    assert list(restored.damaged) == [30]
    moved = checkpoints.set_aside(30)
    assert moved.is_dir()
    checkpoints.save(30, state_at(30))
    assert checkpoints.restore().step == 30


def test_all_damaged_is_an_error_not_a_fresh_start(checkpoints, tmp_path):
    for step in ("20", "30"):
        largest_file(tmp_path / "checkpoints" / step).write_bytes(b"")
    with pytest.raises(JaxgenError, match="every checkpoint is damaged"):
        checkpoints.restore()


def test_no_checkpoint(tmp_path):
    assert Checkpoints(tmp_path / "none").restore() is None


def test_checksum_sees_every_change():
    same = checksum(STATE)
    assert checksum(dict(reversed(STATE.items()))) == same
    assert checksum(STATE | {"count": 4}) != same
    assert checksum(STATE | {"params": {"v": STATE["params"]["w"]}}) != same
    assert checksum(STATE | {"params": {"w": STATE["params"]["w"].reshape(3, 2)}}) != same


def test_a_checkpoint_under_another_steps_name_is_damaged(checkpoints, capfd):
    folder = checkpoints._folder
    (folder / "30").rename(folder / "40")
    restored = checkpoints.restore()
    assert restored.step == 20
    assert restored.damaged == {40: "it is the checkpoint of step 30, renamed"}


def test_a_damaged_checkpoint_is_one_line_of_ours(checkpoints, capfd):
    for path in (checkpoints._folder / "30").rglob("*"):
        if path.is_file():
            path.write_bytes(b"x")
    restored = checkpoints.restore()
    assert restored.step == 20
    assert "\n" not in restored.damaged[30]
    assert len(capfd.readouterr().err.splitlines()) <= 1


def test_arrays_that_a_configuration_does_not_ask_for_are_named():
    refuse_misfit(STATE, STATE, 3)
    other = STATE | {"params": {"w": np.zeros((2, 4), np.float32)}}
    with pytest.raises(JaxgenError, match=r"step 3 does not .*: params\.w has shape \(2, 4\), not"):
        refuse_misfit(STATE, other, 3)
    with pytest.raises(JaxgenError, match=r"params\.w has shape None, not \(2, 3\)"):
        refuse_misfit(STATE, STATE | {"params": {}}, 3)
    with pytest.raises(JaxgenError, match=r"more has shape \(\), not None"):
        refuse_misfit(STATE, STATE | {"more": 1}, 3)
