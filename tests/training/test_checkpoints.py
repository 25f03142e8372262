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
    assert restored.state["params"]["w"].dtype == np.float32


def test_a_flipped_bit_in_any_file_falls_back_or_does_no_harm(checkpoints, tmp_path):
    for path in (p for p in (tmp_path / "checkpoints" / "30").rglob("*") if p.is_file()):
        original = path.read_bytes()
        if not original:
            continue
        damaged = bytearray(original)
        damaged[len(damaged) // 2] ^= 0x10
        path.write_bytes(damaged)
        restored = checkpoints.restore()
        assert checksum(restored.state) == checksum(state_at(restored.step))
        path.write_bytes(original)


def test_a_lost_file_falls_back_saying_so(checkpoints, tmp_path):
    largest_file(tmp_path / "checkpoints" / "30" / "state").unlink()
    restored = checkpoints.restore()
    assert restored.step == 20
    assert list(restored.damaged) == [30]
    moved = checkpoints.set_aside(30)
    assert moved.is_dir()
    checkpoints.save(30, state_at(30))
    assert checkpoints.restore().step == 30


def test_all_damaged_is_an_error_not_a_fresh_start(checkpoints, tmp_path):
    for step in ("20", "30"):
        largest_file(tmp_path / "checkpoints" / step / "state").write_bytes(b"")
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


def test_a_damaged_checkpoint_is_one_line_of_ours_and_none_of_orbaxs(checkpoints, capfd):
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
