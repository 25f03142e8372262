"""Weights & Biases itself, offline: its own files, read back record by record."""

import json
import struct

import pytest

pytest.importorskip("wandb")
pytestmark = pytest.mark.filterwarnings("default")  # of a large package


def records(path):
    """The records of a file in the form of LevelDB's logs: blocks of 32 KiB, heads of 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        parts = (b"" if kind in (1, 2) else parts) + data[at + 7 : at + 7 + size]
        at += 7 + size
        if at > len(data):  # broken off
            return
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(parts)


def named(items):
    return {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


@pytest.fixture
def sessions(watched, tmp_path, monkeypatch):
    """Two sessions of a run, the first of which did not end well; the records of each."""
    from jaxgen.training.watchers.weights_and_biases import WeightsAndBiases

    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_DIR", "WANDB_NAME"):
        monkeypatch.delenv(name, raising=False)
    found = []
    for start, steps, ended in ((0, (10, 20, 30), ("diverged", "nan")), (20, (30, 40), ())):
        assert watched({"wandb": WeightsAndBiases()}, start, steps, *ended) == []
        files = set(tmp_path.glob("wandb/offline-run-*/*.wandb"))
        (new,) = files - {path for path, _ in found}
        found.append((new, list(records(new))))
    return found


def test_a_run_that_stopped_goes_on_as_one(sessions, tmp_path):
    run_id = json.loads((tmp_path / "watch" / "wandb.json").read_text())["id"]
    steps, told = [], {}
    for path, session in sessions:
        assert path.name == f"run-{run_id}.wandb"
        (run,) = [r.run for r in session if r.WhichOneof("record_type") == "run"]
        assert (run.run_id, run.project, run.display_name) == (run_id, "jaxgen", tmp_path.name)
        config = {item.key: json.loads(item.value_json) for item in run.config.update}
        assert config["networks"] == {"type": "mlp", "hidden": [8, 8]}
        assert config["session"]["versions"] == {"jax": "0.10.2"}
        for record in session:
            if record.WhichOneof("record_type") == "history":
                row = named(record.history.item)
                steps.append(record.history.step.num)
                told[steps[-1]] = row
    assert steps == [10, 20, 30, 40]
    assert [told[step]["d_loss"] for step in steps] == [1, 2, 3, 4]
    assert [told[step]["seed_3/d_loss"] for step in steps] == [-1, -2, -3, -4]
    assert ["samples/sha256" in told[step] for step in steps] == [False, True, False, True]
    assert told[20]["samples/caption"] == "a cat"
    media = sorted(tmp_path.glob("wandb/offline-run-*/files/media/images/*.png"))
    assert len(media) == 2


def test_what_its_process_did_not_write_is_told_again(sessions, tmp_path, watched):
    from jaxgen.training.watchers.weights_and_biases import WeightsAndBiases

    # As SIGKILL leaves it: broken off within a record.
    for path, cut in (sessions[0][0], 0.5), (sessions[1][0], 0.0):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut) or 7])
    kept = [
        r.history.step.num
        for r in records(sessions[0][0])
        if r.WhichOneof("record_type") == "history"
    ]
    assert 0 < len(kept) < 3
    watched({"wandb": WeightsAndBiases()}, kept[-1], (20, 30, 40))
    (new,) = set(tmp_path.glob("wandb/offline-run-*/*.wandb")) - {path for path, _ in sessions}
    told = [r.history.step.num for r in records(new) if r.WhichOneof("record_type") == "history"]
    assert told == [step for step in (20, 30, 40) if step > kept[-1]]


def test_alarms_and_how_it_ended(sessions):
    ends = []
    for _, session in sessions:
        summary = {}
        for record in session:
            if record.WhichOneof("record_type") == "summary":
                summary |= named(record.summary.update)
            elif record.WhichOneof("record_type") == "exit":
                ends.append((summary["state"], summary.get("why"), record.exit.exit_code))
        alerts = [r.alert.text for r in session if r.WhichOneof("record_type") == "alert"]
        step = 20 if session is sessions[0][1] else 40
        assert alerts == [f"looks wrong at {step}", "and so does this"]
        assert summary[f"alarm at step {step}"] == f"looks wrong at {step}; and so does this"
    assert ends == [("diverged", "nan", 1), ("finished", None, 0)]
