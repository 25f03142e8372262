"""`nox` runs the tests on every Python that jaxgen supports, the linters, and makes the site.

Each Python gets the newest JAX that it can have; the first lines of its session say which.
"""

import json
from pathlib import Path

import nox

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False

VERSIONS = (
    "import importlib.metadata as m, platform; print('Python', platform.python_version(), "
    "*(f'{name} {m.version(name)}' for name in ('jax', 'flax', 'numpy')))"
)


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The test suite; arguments after -- go to pytest."""
    session.install("--upgrade", "-e", ".[test]")
    session.run("python", "-c", VERSIONS)
    session.run("pytest", *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13"], default=False)
def extras(session: nox.Session) -> None:
    """What each accelerator's extra brings, without installing it: one JAX for all its parts."""
    for extra in ("cuda12", "cuda13", "tpu"):
        report = Path(session.create_tmp()) / f"{extra}.json"
        asked = ("--quiet", "--dry-run", "--ignore-installed", "--report", str(report))
        session.run("python", "-m", "pip", "install", *asked, f".[{extra}]")
        found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
        parts = {item["name"]: item["version"] for item in found if _of_jax(item["name"])}
        told = ", ".join(f"{name} {parts[name]}" for name in sorted(parts))
        session.log(f"jaxgen[{extra}]: {told}; {len(found)} packages")
        versions = {version for name, version in parts.items() if name != "libtpu"}
        if len(versions) != 1 or not parts.keys() - {"jax", "jaxlib"}:
            session.error(f"jaxgen[{extra}] brings no accelerator, or parts that differ: {told}")


@nox.session(python=["3.11", "3.12", "3.13"], default=False)
def wheel(session: nox.Session) -> None:
    """The wheel built, checked, installed in a fresh environment of each Python, and used there."""
    session.install("build", "twine")
    session.run("python", "-m", "tests.installed", *session.posargs)


def _of_jax(name: str) -> bool:
    return name in ("jax", "jaxlib", "libtpu") or name.startswith("jax-cuda")


@nox.session
def lint(session: nox.Session) -> None:
    """The linter, the formatter's check, the layers of imports, and the types."""
    session.install("-e", ".[test,lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """The site, in docs/_build; a link that leads nowhere or a heavy page fails."""
    session.install("-e", ".[docs]")
    session.run("python", "-m", "sphinx", "-W", "-j", "2", "docs", "docs/_build")
