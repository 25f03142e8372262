"""What watchers are told, what they are not told twice, and that none of them loses training."""

import json
import threading

import numpy as np
import pytest

from jaxgen.training.watchers import audience
from jaxgen.training.watchers.audience import Audience
from jaxgen.training.watchers.base import RunWatcher


class Noting(RunWatcher):
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def start(self, run):
        self.run = run

    def scalars(self, step, figures):
        self.told.append((step, dict(figures)))
        figures.clear()  # its own

    def picture(self, step, picture, text):
        self.told.append((step, picture.shape, text))

    def alarm(self, step, sentence):
        self.told.append((step, sentence))

    def end(self, step, state, why):
        self.told.append((step, state, why))


def figures(step):
    return {"d_loss": step / 10, "seed_3/d_loss": -step / 10}


def test_all_is_told_in_order(watched, tmp_path):
    one, other = Noting(), Noting()
    assert watched({"one": one, "other": other}, 0, (10, 20)) == []
    assert one.told == other.told == [
        (10, figures(10)),
        (20, (16, 16, 3), "a cat"),
        (20, figures(20)),
        (20, "looks wrong at 20"),
        (20, "and so does this"),
        (20, "finished", ""),
    ]  # fmt: skip
    assert (one.run.start, one.run.steps, one.run.is_watched_before) == (0, 40, False)
    assert (one.run.name, one.run.config["loss"]) == (tmp_path.name, "x")


def test_a_run_that_goes_on_has_its_id_and_repeats_nothing(watched):
    first, second, third = Noting(), Noting(), Noting()
    watched({"own:Noting": first}, 0, (10, 20, 30), "failed")
    watched({"own:Noting": second, "new": third}, 10, (20, 30, 40))
    assert second.run.id == first.run.id != third.run.id
    assert (second.run.start, second.run.is_watched_before) == (10, True)
    assert [entry[0] for entry in second.told] == [40, 40, 40, 40, 40]
    assert [entry[0] for entry in third.told][:3] == [20, 20, 20]


@pytest.mark.parametrize("method", ["start", "scalars", "picture", "alarm", "end"])
@pytest.mark.parametrize("error", [ValueError("two\nlines"), SystemExit(3), OSError(28, "full")])
def test_one_that_raises_is_told_of_once_and_left_out(watched, monkeypatch, method, error):
    def fails(self, *told):
        raise error

    broken, sound = Noting(), Noting()
    monkeypatch.setattr(broken, method, fails.__get__(broken))
    (sentence,) = watched({"broken": broken, "sound": sound}, 0, (10, 20, 30))
    assert sentence.startswith("warning: step ")
    assert f"the watcher broken failed in {method} ({type(error).__name__}: " in sentence
    assert sentence.endswith("it is left out")
    assert "\n" not in sentence
    assert sound.told[-1] == (30, "finished", "")


def test_one_that_hangs_holds_nothing_up(tmp_path, monkeypatch):
    monkeypatch.setattr(audience, "_SECONDS_TO_START", 0.05)
    monkeypatch.setattr(audience, "_SECONDS_TO_END", 0.05)
    monkeypatch.setattr(audience, "_MOST_WAITING", 3)
    leave = threading.Event()
    said = []

    class Hangs(RunWatcher):
        def start(self, run):
            leave.wait(10)

    for count in (1, 9):
        told = Audience({"slow": Hangs()})
        told.start(tmp_path, 0, 40, {}, {}, said.append)
        for step in range(1, count + 1):
            told.scalars(step, {})
        told.end(count, "finished")
    leave.set()
    assert len(said) == 2
    assert "the watcher slow has not ended within 0 s; it is left out" in said[0]
    assert "is 3 messages behind; it is left out" in said[1]


def test_a_note_that_was_altered_begins_a_new_run(watched, tmp_path, capsys):
    watched({"one": Noting()}, 0, (10, 20))
    (path,) = (tmp_path / "watch").iterdir()
    note = json.loads(path.read_text())
    for damaged in (
        path.read_text().replace("20", "90"),
        json.dumps(note | {"sha256": ""}),
        "[" * 100_000,
        "{}",
        "\x00",
    ):
        path.write_text(damaged)
        after = Noting()
        watched({"one": after}, 10, (20,))
        assert after.run.id != note["id"]
        assert after.told[0] == (20, (16, 16, 3), "a cat")
        told = capsys.readouterr().err
        assert told.startswith(f"warning: {path} is damaged (")
        assert told.count("\n") == 1
        assert json.loads(path.read_text())["told"]["scalars"] == 20


def test_what_a_place_lost_is_told_again(watched):
    class Lost(Noting):
        def start(self, run):
            return 10 if run.is_watched_before else None

    first, second = Lost(), Lost()
    watched({"one": first}, 0, (10, 20, 30), "failed")
    watched({"one": second}, 15, (20, 30, 40))
    assert [step for step, told, *_ in second.told if isinstance(told, dict)] == [20, 30, 40]
    assert [step for step, *_ in second.told if step == 20] == [20]  # its picture was not lost


def test_names_make_files_of_their_own(watched, tmp_path):
    watched({"a:B": Noting(), "a-B": Noting(), "../x" * 99: Noting()}, 0, (10,))
    assert len(list((tmp_path / "watch").iterdir())) == 3


def test_a_picture_cannot_be_altered(watched):
    class Alters(RunWatcher):
        def picture(self, step, picture, text):
            picture[:] = 0

    (sentence,) = watched({"one": Alters()}, 0, (20,))
    assert "read-only" in sentence
    assert np.arange(3).flags.writeable
