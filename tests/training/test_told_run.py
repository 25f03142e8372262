"""What a run's folder tells, however it stands and whatever is wrong with it; it is not changed."""

import os
import shutil
from pathlib import Path

import pytest

from jaxgen.errors import JaxgenError
from jaxgen.training import run_lock, told_run
from jaxgen.training.run_folder import Run
from tests.display.report import made_runs

OLDER = Path(__file__).parents[1] / "runs_0_1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    evaluation = {"fid": {"value": 5.0, "matched": 6.0, "floor": 0.1}, "images": {"real": 1}}
    made_runs.gan(folder / "one", steps=40, evaluation=evaluation)
    each = [{"fid": {"value": v, "matched": None, "floor": 0.1}} for v in (4.0, 6.0)]
    made_runs.gan(folder / "two", steps=40, seed=3, replicas=2, evaluation={"replicas": each})
    made_runs.gan(folder / "lost", steps=40, end="d_loss is nan")
    made_runs.captioner(folder / "words", evaluation={"true": 0.5, "nearest": {"true": 0.4}})
    return folder


@pytest.fixture
def copy(folder, tmp_path):
    return lambda name: shutil.copytree(folder / name, tmp_path / name)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_figures_come_with_what_they_are_held_against(folder):
    told = told_run.told(told_run.read(folder / "one"))
    assert (told.state, told.step, told.steps, told.seeds) == ("finished", 40, 40, (0,))
    assert told.figures["fid"] == [5.0]
    assert told.beside["fid"] == {"same size": 6.0, "floor": 0.1}
    assert told.about("fid").title == "FID"
    assert next(iter(told.figures)) == "fid"
    assert told.curves["d_loss"][0][0].tolist() == list(range(1, 41))
    facts = dict(told.facts)
    assert facts["command"] == "jaxgen train vanilla_gan"
    assert facts["hash of the data"] == "abc"
    assert facts["system"].startswith("not recorded")


def test_replicas_have_a_figure_and_a_curve_each(folder):
    told = told_run.told(told_run.read(folder / "two"))
    assert told.seeds == (3, 4)
    assert told.figures["fid"] == [4.0, 6.0]
    assert len(told.curves["d_loss"]) == 2
    assert "d_loss_std" not in told.curves


def test_captions_are_told_with_their_baseline(folder):
    told = told_run.told(told_run.read(folder / "words"))
    assert told.beside["true"] == {"nearest neighbour": 0.4}
    assert [step for step, _ in told.captions] == [20, 40]
    assert told.captions[-1][1][0].sentence == "a small red 3"
    assert told.captions[-1][1][0].columns == 4


def test_a_run_is_known_by_how_it_stands(folder, copy):
    assert told_run.state(told_run.read(folder / "one")) == "finished"
    found = told_run.read(folder / "lost")
    assert told_run.state(found) == "diverged"
    assert told_run.told(found).end == "d_loss is nan"
    assert told_run.in_short(found).end == "d_loss is nan"
    run = copy("one")
    (run / "summary.json").unlink()
    assert told_run.state(told_run.read(run)) == "interrupted"
    with run_lock.RunLock(run) as lock:
        lock.acquire()
        assert told_run.state(told_run.read(run)) == "running"
    assert told_run.state(told_run.read(run)) == "interrupted"


def test_a_run_that_is_to_be_longer_is_not_finished(copy):
    run = Run(copy("one"))
    record = run.record()
    run.write_record(type(record)(**(vars(record) | {"config": record.config | {"steps": 99}})))
    assert told_run.state(told_run.read(run.path)) == "interrupted"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("summary.json", "summary.json is not as it was written"),
        ("events.jsonl", "are damaged"),
        ("samples/step_000040.json", "captions of step 40 are left out"),
    ],
)
def test_what_is_damaged_is_left_out_with_a_word_and_stays_as_it_is(copy, name, words):
    run = copy("words")
    path = run / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    before = contents(run)
    told = told_run.told(told_run.read(run))
    assert any(words in note or "is not JSON" in note for note in told.notes)
    assert contents(run) == before


def test_runs_of_an_older_version_are_told():
    for name in ("gan", "captioner"):
        told = told_run.told(told_run.read(OLDER / name))
        assert told.alarms is None
        assert told.figures
        assert told_run.in_short(told_run.read(OLDER / name)).figure


def test_a_run_of_code_that_is_not_here_is_told_without_words(copy):
    run = Run(copy("one"))
    record = run.record()
    config = record.config | {"loss": "somebodys:loss"}
    run.write_record(type(record)(**(vars(record) | {"config": config})))
    told = told_run.told(told_run.read(run.path))
    assert "not understood" in told.notes[0]
    assert told.words == {}
    assert told.figures["fid"] == [5.0]


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(JaxgenError, match="no such folder"):
        told_run.read(tmp_path / "none")
    with pytest.raises(JaxgenError, match="holds no config"):
        told_run.read(tmp_path)


def test_a_lock_that_is_looked_at_can_be_taken(tmp_path):
    assert not run_lock.is_held(tmp_path)
    os.mkfifo(tmp_path / ".lock")  # no reason to wait
    assert not run_lock.is_held(tmp_path)
