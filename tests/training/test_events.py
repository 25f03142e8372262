"""What a run says beside its metrics: kept line by line, cut back with the run, damage told."""

import json

import pytest

from jaxgen.training.events import Events, read_events


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "events.jsonl"
    events = Events(path, 0)
    events.add("began", 0, command="jaxgen train dcgan", cores=2)
    events.add("alarm", 50, said="it is <saturated>")
    events.add("alarm", 100, said="ü")
    return path


def test_events_come_back_in_their_order(path):
    events, problem = read_events(path)
    assert events == [
        {"kind": "began", "step": 0, "command": "jaxgen train dcgan", "cores": 2},
        {"kind": "alarm", "step": 50, "said": "it is <saturated>"},
        {"kind": "alarm", "step": 100, "said": "ü"},
    ]
    assert problem == ""


def test_a_run_that_goes_on_forgets_what_was_said_later(path):
    Events(path, 50).add("began", 50)
    assert [event["step"] for event in read_events(path)[0]] == [0, 50, 50]


def test_an_unfinished_line_is_left_out_without_a_word(path):
    path.write_bytes(path.read_bytes()[:-9])
    events, problem = read_events(path)
    assert [event["step"] for event in events] == [0, 50]
    assert problem == ""


DAMAGED = [b"{", b"[1]", b"\xff", b'{"kind": "alarm", "step": 3}', b"[" * 99999]


@pytest.mark.parametrize("damage", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_line_is_told(path, damage):
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], damage, lines[2], b""]))
    events, problem = read_events(path)
    assert [event["step"] for event in events] == [0, 100]
    assert problem == f"1 of 3 lines of {path} are damaged"


def test_a_changed_word_is_noticed(path):
    path.write_text(path.read_text().replace("saturated", "all right"))
    assert [event["step"] for event in read_events(path)[0]] == [0, 100]


def test_a_long_command_is_shortened(path):
    Events(path, 100).add("began", 100, command="x" * 100_000)
    assert len(read_events(path)[0][-1]["command"]) == 4000
    assert all(len(line) < 5000 for line in path.read_text().splitlines())
    assert json.loads(path.read_text().splitlines()[-1])["sha256"]


def test_there_may_be_none(tmp_path):
    assert read_events(tmp_path / "events.jsonl") == ([], "")
