"""A table over seeds: experiments trained with replicas, each figure as mean ± standard deviation.

    python -m benchmarks.over_seeds
    python -m benchmarks.over_seeds --experiments lsgan dcgan --replicas 6 --steps 1950
    python -m benchmarks.over_seeds runs/a runs/b

Each experiment is one run with `--replicas` in the folder `--out`; the same command goes on with it
after a stop, and opens what is finished. With folders of runs it measures these. Every
seed is measured as `jaxgen evaluate` does; a figure that a run has not got is left out.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jaxgen
from benchmarks import report
from benchmarks.accelerators.programs import experiments
from benchmarks.gan_steps import experiment
from jaxgen.commands.guard import run_guarded
from jaxgen.errors import JaxgenError
from jaxgen.training.trained_replicas import TrainedReplicas


class Column(NamedTuple):
    """A figure of the table."""

    name: str
    """In a report, dotted where it is inside of another."""
    form: str = "{:.2f}"
    of: Callable[[float], float] = float
    """What is shown of a seed's figure."""


COLUMNS = {
    "FID": Column("fid.value"),
    "KID x 1000": Column("kid.value", of=lambda kid: 1000 * kid),
    "precision": Column("precision.value"),
    "recall": Column("recall.value"),
    "as asked": Column("label_agreement.value", "{:.1%}"),
    "loss of a word": Column("validation_perplexity", "{:.3f}", math.log),
    "CIDEr-D": Column("cider_d", "{:.3f}"),
    "true, 1 digit": Column("true_1", "{:.1%}"),
    "true, 2 digits": Column("true_2", "{:.1%}"),
    "true, 3 digits": Column("true_3", "{:.1%}"),
}


class Row(NamedTuple):
    """A run of the table."""

    title: str
    steps: int
    figures: Sequence[Mapping[str, Any]]
    """The report of each seed."""


def row(title: str, model: Any) -> Row:
    """Measure all replicas of a run.

    Raises:
        JaxgenError: it has none.
    """
    if not isinstance(model, TrainedReplicas):
        raise JaxgenError(f"{title} was trained without replicas: there is nothing to compare")
    return Row(title, model.config.steps, model.evaluate()[0]["replicas"])


def _values(figures: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """A figure of each seed; nothing where one has not got it."""
    found: list[Any] = list(figures)
    for key in name.split("."):
        found = [one.get(key) if isinstance(one, Mapping) else None for one in found]
    return found if all(isinstance(value, int | float) for value in found) else []


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line for each run, a column for each figure that any has."""
    titles = [t for t, c in COLUMNS.items() if any(_values(row.figures, c.name) for row in rows)]
    lines = [f"| | steps | seeds | {' | '.join(titles)} |", "|---" * (3 + len(titles)) + "|"]
    for one in rows:
        cells = []
        for title in titles:
            column = COLUMNS[title]
            values = [column.of(value) for value in _values(one.figures, column.name)]
            if values:
                parts = statistics.mean(values), statistics.stdev(values)
                cells.append(" ± ".join(map(column.form.format, parts)))
            else:
                cells.append("-")
        lines.append(f"| {one.title} | {one.steps:,} | {len(one.figures)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.over_seeds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("runs", nargs="*", type=Path, metavar="RUN")
    flags.add_argument("--experiments", nargs="+", choices=experiments(), default=["vanilla_gan"])
    flags.add_argument("--replicas", type=int, default=3)
    flags.add_argument("--steps", type=int, help="instead of each experiment's own")
    flags.add_argument("--out", type=Path, default=Path("runs/over_seeds"))
    return flags


def main() -> None:
    """Train what is to be trained, measure, and print the table."""
    args = parser().parse_args()
    if args.replicas < 2:
        raise JaxgenError(f"--replicas must be at least 2 for a spread, got {args.replicas}")
    rows = [row(path.name, jaxgen.load(path)) for path in args.runs]
    for name in [] if args.runs else args.experiments:
        config = replace(
            experiment(name), workdir=str(args.out / name), seed=0, replicas=args.replicas
        )
        if args.steps is not None:
            config = replace(config, steps=args.steps)
        rows.append(row(name, jaxgen.run(config)))
    about = report.machine()
    print(f"{about['cores']} cores ({about['cpu']}); mean ± standard deviation\n\n{table(rows)}")


if __name__ == "__main__":
    run_guarded(main)
