"""Every file in `experiments/` runs: found by a glob, so that a new one is tested at once."""

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "experiments"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
# A tiny set of scenes: the default one takes a minute to make.
CAPTION_FLAGS = (
    "--data.scenes 20 --batch-size 4 --captioner.hidden 8 --captioner.word-size 8".split()
)
MORE_FLAGS = {"caption_rnn": CAPTION_FLAGS, "caption_lstm": CAPTION_FLAGS}


@pytest.mark.parametrize("name", NAMES)
def test_two_steps(name, tmp_path, monkeypatch):
    flags = ["--steps", "2", "--workdir", str(tmp_path / "run"), *MORE_FLAGS.get(name, [])]
    monkeypatch.setattr(sys, "argv", [name, *flags])
    monkeypatch.delitem(sys.modules, f"experiments.{name}", raising=False)
    with pytest.raises(SystemExit) as stop:
        runpy.run_module(f"experiments.{name}", run_name="__main__")
    assert stop.value.code in (0, None)
    assert list((tmp_path / "run").rglob("*.png"))


@pytest.mark.parametrize("name", NAMES)
def test_is_a_short_file_that_tells_its_command_and_paper(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert f"python -m experiments.{name}" in text
    assert "https://arxiv.org/abs/" in text
    assert len(text.splitlines()) < 60
