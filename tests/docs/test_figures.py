"""Figures in the README and the pages: where they come from, and that they agree."""

import importlib
import re

import pytest

from jaxgen.gan import quality
from jaxgen.metrics.samples.diversity import diversity
from tests.docs.pages import PAGES, README, ROOT, name, tables

LOG = ROOT / "docs" / "performance_log.md"
"""A history: what was tried is gone, and with it what it was measured by."""
SITE = [page for page in PAGES if page != README]
COMMAND = re.compile(r"`(?:python -m (?:benchmarks|tests|experiments)|jaxgen )[^`]*`|```sh")
MACHINE = re.compile(r"core|EPYC|Xeon|H100|TPU|automata", re.IGNORECASE)
DATE = re.compile(r"20\d\d-\d\d-\d\d")


def is_of_figures(lines):
    """Whether most rows of a table hold numbers that look measured: with a point, a % or a unit."""
    rows = lines[2:]
    pattern = r"\d\.\d|\d ?%|\d (?:ms|s|MB|kB)\b"
    return sum(bool(re.search(pattern, row)) for row in rows) > len(rows) / 2


def figures():
    for page in (page for page in PAGES if page != LOG):
        for number, lines in tables(page):
            if is_of_figures(lines):
                yield pytest.param(page, number, id=f"{name(page)}:{number}")


@pytest.mark.parametrize("page, number", list(figures()))
def test_figures_say_where_they_come_from(page, number):
    """Its page names the command, the machine and the date."""
    text = page.read_text()
    assert COMMAND.search(text), "name the command that measured it"
    assert MACHINE.search(text), "name the machine"
    assert DATE.search(text), "name the date"


def test_tables_of_figures_are_found():
    assert len(list(figures())) > 20


def test_tables_of_the_readme_are_those_of_the_site():
    known = {"\n".join(lines) for page in SITE for _, lines in tables(page)}
    for number, lines in tables(README):
        if is_of_figures(lines):
            assert "\n".join(lines) in known, f"README.md:{number}"


def test_the_table_of_experiments_has_all_with_their_steps():
    text = README.read_text()
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \|.*\| ([^|]*) \| [^|]* \|$", text))
    for path in (ROOT / "experiments").glob("[a-z]*.py"):
        module = importlib.import_module(f"experiments.{path.stem}")
        if hasattr(module, "config"):
            told = rows[path.stem]
            steps = re.split(r",(?!\d)", told)[0].split(" of ")[-1]
            assert steps == f"{module.config.steps:,}", path.stem


def test_alarms_are_those_that_are_said():
    page = (ROOT / "docs" / "failing_gans.md").read_text()
    said = re.findall(r"(?m)^\| \*([^*]+?)(?: \.\.\.)?\* \|", page)
    code = " ".join((ROOT / "jaxgen/gan/quality.py").read_text().split())
    assert f"under {quality.SATURATED:.0%} of a coin's" in said[0]
    assert diversity.alarm.startswith(said[1])
    assert f'"{said[2]}"' in code
    assert "training diverged; try a smaller" in said[3]
    assert f"for {quality.PATIENCE} log lines" in page
