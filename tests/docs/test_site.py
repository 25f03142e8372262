"""How the site is made: what its checks find. CI makes it with warnings as errors (`.ci/run`)."""

import runpy
import sys

import pytest

from tests.docs.pages import ROOT


@pytest.fixture
def problems(monkeypatch):
    """The function that looks at a site that is made; it is called without Sphinx."""
    for name, key in (("application", "Sphinx"), ("errors", "ExtensionError")):
        module = type(sys)(f"sphinx.{name}")
        setattr(module, key, Exception)
        monkeypatch.setitem(sys.modules, f"sphinx.{name}", module)
    return runpy.run_path(str(ROOT / "docs" / "_ext" / "checks.py"))["problems"]


@pytest.fixture
def site(tmp_path):
    (tmp_path / "style.css").write_text("x" * 200_000)
    (tmp_path / "a.html").write_text('<link href="style.css?v=1"><a href="b.html#here">b</a>')
    (tmp_path / "b.html").write_text('<p id="here"></p><a href="https://example.org/">x</a>')
    return tmp_path


def test_a_sound_site_is_sound(site, problems):
    assert problems(site) == []


@pytest.mark.parametrize(
    "page, problem",
    [
        ('<a href="c.html">c</a>', "a.html leads to c.html, which is not there"),
        ('<a href="b.html#there">b</a>', "a.html leads to b.html#there, which is not there"),
        ('<a href="#there">b</a>', "a.html leads to #there, which is not there"),
        ('<link href="style.css">' + "x" * 100_000, "a.html weighs 300,023 bytes"),
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
    ],
)
def test_what_is_wrong_is_found(site, problems, page, problem):
    (site / "a.html").write_text(page)
    (found,) = problems(site)
    assert problem in found


def test_every_page_is_in_the_table_of_contents():
    """Patterns leave room for pages; two pages of one name would hide one another."""
    import fnmatch

    index = (ROOT / "docs" / "index.md").read_text().splitlines()
    patterns = [line for line in index if line and " " not in line and line[0] not in "`:!#"]
    for page in (ROOT / "docs").glob("*.md"):
        if page.stem != "index":
            matching = [pattern for pattern in patterns if fnmatch.fnmatch(page.stem, pattern)]
            assert len(matching) == 1, (page.name, matching)
