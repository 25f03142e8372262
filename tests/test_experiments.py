"""Every file in `experiments/` runs: found by a glob, so that a new one is tested at once."""

import runpy
import sys
from pathlib import Path

import pytest

from tests.marks import long_but_for

FOLDER = Path(__file__).parents[1] / "experiments"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
# A tiny set of scenes: the default one takes a minute to make.
CAPTION_FLAGS = ["--data.scenes", "20", "--batch-size", "4"]
RECURRENT = [*CAPTION_FLAGS, "--captioner.hidden", "8", "--captioner.word-size", "8"]
LOOKING = [*RECURRENT, "--captioner.attention", "8"]
RESIDUAL = "--networks.generator-channels 8 --networks.discriminator-channels 8".split()
TRANSFORMER = [*CAPTION_FLAGS, *"--captioner.width 8 --captioner.layers 1".split()]
MORE_FLAGS = {
    "caption_rnn": RECURRENT,
    "caption_lstm": RECURRENT,
    "caption_transformer": TRANSFORMER,
    "caption_char": TRANSFORMER,
    "caption_attention": LOOKING,
    "caption_up_down": LOOKING,
    "caption_pixels": LOOKING,
    "caption_self_critical": TRANSFORMER,
    # 26,000 samples take a while.
    "stacked_digits": ["--evaluate-every", "0", "--data.train", "128"],
    # Its data have to be installed.
    "fashion_r3gan": "--data mnist5k --evaluate-every 0 --batch-size 8".split(),
    "r3gan": [*RESIDUAL, *"--batch-size 8 --loss non_saturating_r1".split()],
    "sngan": [*RESIDUAL, *"--batch-size 10 --networks.last-blocks 0".split()],
}
ALWAYS = ("caption_lstm", "vanilla_gan")
"""One of each kind is compiled with the short tests; all of them with the long ones."""
STARTS = {"caption_self_critical": "caption_transformer"}
"""What starts from a trained run, and of what."""


@pytest.fixture
def two_steps(tmp_path, monkeypatch):
    """Run an experiment for two steps, as the command does."""

    def run(name, *more):
        flags = [
            "--steps",
            "2",
            "--workdir",
            str(tmp_path / name),
            *MORE_FLAGS.get(name, []),
            *more,
        ]
        monkeypatch.setattr(sys, "argv", [name, *flags])
        monkeypatch.delitem(sys.modules, f"experiments.{name}", raising=False)
        with pytest.raises(SystemExit) as stop:
            runpy.run_module(f"experiments.{name}", run_name="__main__")
        assert stop.value.code in (0, None)
        assert list((tmp_path / name).rglob("*.png"))
        return tmp_path / name

    return run


@pytest.mark.parametrize("name", long_but_for(ALWAYS, NAMES, pytest.mark.early))
def test_two_steps(name, two_steps):
    more = ["--objective.start", str(two_steps(STARTS[name]))] if name in STARTS else []
    two_steps(name, *more)


@pytest.mark.parametrize("name", NAMES)
def test_is_a_short_file_that_tells_its_command_and_paper(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert f"python -m experiments.{name}" in text
    assert "https://arxiv.org/abs/" in text
    assert len(text.splitlines()) < 60
