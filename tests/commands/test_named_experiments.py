"""Experiments are found by their names beside whatever else is called `experiments`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxgen.commands import named_experiments

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    """A user's project with a folder `experiments`; runs Python in it, as `python -m` would."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/mine.py").write_text("config = 'mine'\n")

    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(["", str(ROOT)])},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_they_are_the_files_of_the_folder():
    files = {path.stem for path in (ROOT / "experiments").glob("*.py")} - {"__init__"}
    assert set(named_experiments.names()) == files


def test_a_projects_own_folder_goes_on_working(project):
    code = """
from importlib.util import find_spec
import experiments.mine
print(experiments.mine.config, find_spec("experiments.dcgan").origin)
"""
    assert project(code) == f"mine {ROOT / 'experiments/dcgan.py'}\n"


def test_a_projects_own_package_does_not_hide_them(project, tmp_path):
    (tmp_path / "experiments/__init__.py").touch()
    (tmp_path / "experiments/lsgan.py").write_text("config = 'not this one'\n")
    code = """
import experiments.lsgan
from jaxgen.commands import named_experiments
print(experiments.lsgan.config)
print("dcgan" in named_experiments.names(), named_experiments.config("lsgan").workdir)
"""
    assert project(code) == "not this one\nTrue runs/lsgan\n"
