"""`nox` runs the tests on every Python that jaxgen supports, the linters, and builds the API pages.

Each Python gets the newest JAX that it can have; the first lines of its session say which.
"""

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
    """The API pages, in docs/api."""
    session.install("-e", ".[test]")
    session.run("python", "docs/build_api.py")
