"""A page for each module, written into docs/reference before the pages are read."""

import ast
import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docstrings import spans
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PACKAGES = ("jaxgen", "experiments")
APART = ("standalone",)
"""Folders of files that are no modules: they run where jaxgen is not."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


@functools.cache
def modules() -> dict[str, Path]:
    """The source of each public module by its name."""
    return {name: path for package in PACKAGES for name, path in _below(package, ROOT / package)}


def _below(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    yield name, folder / "__init__.py"
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py" and not path.name.startswith("_"):
            yield f"{name}.{path.stem}", path
        elif (path / "__init__.py").exists() and path.name not in APART:
            yield from _below(f"{name}.{path.name}", path)


def _write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "reference"
    pages = {name: _page(name, path) for name, path in modules().items()}
    if folder.exists() and {page.stem for page in folder.iterdir()} != pages.keys():
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        page = folder / f"{name}.rst"
        if not page.exists() or page.read_text() != text:  # or Sphinx would read it again
            page.write_text(text)


def _page(name: str, path: Path) -> str:
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :members:"]
    lines += ["   :show-inheritance:"]
    # What a package only passes on is told where it is; jaxgen's own page is what users import.
    lines += [*["   :ignore-module-all:"] * (name != "jaxgen"), ""]
    inner = [below for below in modules() if below.rpartition(".")[0] == name]
    if inner:
        lines += [".. list-table::", ""]
        for below in inner:
            lines += [f"   * - :py:mod:`{below.rpartition('.')[2]} <{below}>`"]
            lines += [f"     - {spans(_first_line(modules()[below]))}"]
        lines += ["", ".. toctree::", "   :hidden:", "", *(f"   {below}" for below in inner), ""]
    return "\n".join(lines)


def _first_line(path: Path) -> str:
    told = ast.get_docstring(ast.parse(path.read_text())) or ""
    return told.partition("\n\n")[0].replace("\n", " ")
