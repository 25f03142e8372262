"""Every file in `experiments/` runs: found by a glob, so that a new one is tested at once."""

import importlib
from pathlib import Path

import pytest

from jaxgen import cli

FOLDER = Path(__file__).parents[1] / "experiments"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", NAMES)
def test_two_steps(name, tmp_path):
    experiment = importlib.import_module(f"experiments.{name}")
    assert "python -m experiments." + name in experiment.__doc__
    workdir = tmp_path / name
    with pytest.raises(SystemExit) as stop:
        cli.main(
            experiment.config,
            experiment.__doc__,
            ["--steps", "2", "--batch-size", "16", "--workdir", str(workdir)],
        )
    assert stop.value.code == 0
    assert (workdir / "summary.json").exists()
