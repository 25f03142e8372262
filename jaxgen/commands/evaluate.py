"""`jaxgen evaluate RUN`: measure a run; print a table and add it to the run's summary.json."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxgen.commands import cli
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import RunArgument


@dataclass(frozen=True)
class EvaluateConfig(RunArgument):
    """Measure what a run makes; the figures are printed and added to its summary.json.

    Metrics that an imported file declares are measured too. Of a run with several replicas all are
    measured, and told as mean and standard deviation.
    """


def main(argv: Sequence[str]) -> int:
    """Evaluate as the command line says."""
    config = cli.parse_command(EvaluateConfig, argv, "jaxgen evaluate")
    from jaxgen.training.exporting.folder import is_exported
    from jaxgen.training.finishing import add_evaluation
    from jaxgen.training.run_folder import Run

    model = config.opened()
    tell_devices(precision=model.config.precision)
    figures, table = model.evaluate()
    if not Path(config.run).is_dir() or is_exported(Path(config.run)):
        print(table)  # an exported model stays as it was exported
        return 0
    run = Run(config.run)
    add_evaluation(run, figures)
    print(table)
    and_page = f" and {run.report_path}" if run.report_path.is_file() else ""
    print(f"added to {run.summary_path}{and_page}")
    return 0
