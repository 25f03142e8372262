"""`jaxgen compare RUN RUN ...`: runs beside each other, in the terminal or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxgen.commands import cli, tables
from jaxgen.commands.runs_argument import RunsArgument
from jaxgen.errors import JaxgenError

_MOST_FIGURES = 8


@dataclass(frozen=True)
class CompareConfig(RunsArgument):
    """Compare runs: those of one configuration as mean and standard deviation over their seeds.

    The best comes first. p is of an exact rank test of the main figure against the best.
    """

    by: str = ""
    """The figure to sort by, as metrics.csv or summary.json call it; the main one if not given."""
    json: bool = False
    """Print everything as JSON instead."""


def main(argv: Sequence[str]) -> int:
    """Compare as the command line says."""
    config = cli.parse_command(CompareConfig, argv, "jaxgen compare")
    from jaxgen.display.report.comparison import Comparison

    comparison = Comparison(config.read(captions=False), config.by)
    if config.by and config.by not in comparison.figures:
        known = ", ".join(comparison.figures) or "none"
        raise JaxgenError(f"--by {config.by}: no run has this figure; there are {known}")
    if config.json:
        print(json.dumps(comparison.as_json(), indent=2))
        return 0
    tables.show(_groups(comparison))
    if comparison.changed:
        tables.show(_differences(comparison))
    for run in comparison.runs:
        for sentence in run.notes:
            print(f"note: {tables.plain(run.name)}: {tables.plain(sentence)}")
    return 0


def _groups(comparison: Any) -> Any:
    main = comparison.main
    figures = [main, *(name for name in comparison.figures if name != main)][:_MOST_FIGURES]
    columns = [("", "left"), ("runs", "left"), ("seeds", "right")]
    for name in filter(None, figures):
        words = comparison.words(name)
        better = f"\n{words.better}" if words.better else ""
        columns.append((words.title + better, "right"))
        if name == main:
            columns.append(("p", "right"))
    rows = []
    for group in comparison.groups:
        runs = [
            f"{run.name}" + ("" if run.state == "finished" else f" ({run.state})")
            for run in group.runs
        ]
        row = [group.label, "\n".join(runs), str(group.seeds)]
        for name in filter(None, figures):
            best = comparison.best(name) is group
            row.append(tables.best(group.written(name, comparison.words(name)), best))
            if name == main:
                p = comparison.differences(group, name)
                row.append("-" if p is None else f"{p:.2g}")
        rows.append(row)
    return tables.table("", columns, rows)


def _differences(comparison: Any) -> Any:
    columns = [("setting", "left"), *((group.label, "left") for group in comparison.groups)]
    rows = [
        [name, *(comparison.setting(group, name) for group in comparison.groups)]
        for name in comparison.changed
    ]
    return tables.table("differences", columns, rows)
