"""The API pages: built from the docstrings without a warning, one for each module."""

import importlib
import inspect
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def builder():
    return runpy.run_path(str(ROOT / "docs" / "build_api.py"))


def test_every_module_has_a_page(builder, tmp_path):
    builder["build"](tmp_path)
    pages = {path.relative_to(tmp_path).with_suffix("").as_posix() for path in tmp_path.rglob("*")}
    for name in builder["modules"]():
        parent = sys.modules.get(name.rpartition(".")[0])
        if not hasattr(parent, "__all__"):  # else its page shows what is public of the module
            assert name.replace(".", "/") in pages, name
    page = (tmp_path / "jaxgen" / "gan" / "losses.html").read_text()
    assert "least_squares" in page
    assert "Mao" in page


def test_everything_public_has_a_docstring(builder):
    silent = []
    for name in builder["modules"]():
        module = importlib.import_module(name)
        own = [
            (key, value)
            for key, value in vars(module).items()
            if not key.startswith("_") and getattr(value, "__module__", None) == name
        ]
        silent += [
            f"{name}.{key}"
            for key, value in own
            if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value)
        ]
        if not module.__doc__:
            silent.append(name)
    assert silent == []
