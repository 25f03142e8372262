"""What is public has a docstring, of which the reference is made."""

import importlib
import inspect
import runpy
import sys

import pytest

from tests.docs.pages import ROOT

EXTENSIONS = ROOT / "docs" / "_ext"


@pytest.fixture(scope="module")
def converted():
    """The function that makes reStructuredText of a docstring; it is called without Sphinx."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "sphinx.application", type(sys)("sphinx.application"))
        sys.modules["sphinx.application"].Sphinx = object
        return runpy.run_path(str(EXTENSIONS / "docstrings.py"))["converted"]


def modules():
    """Names of all public modules."""
    found = []
    for package in ("jaxgen", "experiments"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "standalone" not in parts and parts[-1] != "__main__":
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in found if "._" not in name]


def test_everything_public_has_a_docstring():
    silent = []
    for name in modules():
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


def test_signs_mean_themselves(converted):
    assert converted(["|x - y| of (*B, T), `name_of` and `x[0]`s."]) == [
        "\\|x - y\\| of (\\*B, T), `name_of` and ``x[0]``\\ s."
    ]


def test_code_tables_and_lists_are_found(converted):
    lines = converted(
        "Do it:\n\n    a = `1`\n\nArgs:\n    b: c.\n- one\n- two\n\n"
        "| x | y |\n|---|---|\n| 1 | `2` |".split("\n")
    )
    assert lines[:5] == ["Do it:", "", "::", "", "    a = `1`"]
    assert "    b: c." in lines
    assert ".. list-table::" in lines
    assert "   * - 1" in lines and "     - ``2``" in lines
