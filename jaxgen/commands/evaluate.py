"""Measure a run: `python -m jaxgen.evaluate RUN` prints a table and adds it to summary.json."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxgen.commands import cli


@dataclass(frozen=True)
class EvaluateConfig:
    """Measure what a run makes; the figures are printed and added to its summary.json."""

    run: Annotated[str, tyro.conf.Positional]
    """The run's folder."""


def main() -> int:
    """Evaluate as the command line says."""
    config = tyro.cli(EvaluateConfig, prog="python -m jaxgen.evaluate", description=__doc__)
    from jaxgen.data import cache
    from jaxgen.training import run_folder as runs

    cache.keep_compiled_programs()
    figures, table = runs.load(config.run).evaluate()
    run = runs.Run(config.run)
    summary = runs.read_json(run.summary_path) if run.summary_path.exists() else {}
    runs.write_json(run.summary_path, summary | {"evaluation": figures})
    print(table)
    print(f"added to {run.summary_path}")
    return 0


if __name__ == "__main__":
    cli.run_guarded(main)
