"""`jaxgen evaluate RUN`: measure a run; print a table and add it to the run's summary.json.

`jaxgen evaluate --samples DIR_OR_NPZ --real DIR_OR_NPZ`: measure pictures that jaxgen did not make.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxgen import settings
from jaxgen.commands import cli
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import RunArgument, truncated
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, setting
from jaxgen.settings.notes import note


@dataclass(frozen=True)
class EvaluateConfig(RunArgument):
    """Measure what a run makes; the figures are printed and added to its summary.json.

    Metrics that an imported file declares are measured too. Of a run with several replicas all are
    measured, and told as mean and standard deviation.

    Instead of a run, --samples and --real name pictures of any origin, which --features measures.
    """

    run: Annotated[str, tyro.conf.Positional] = ""
    """The run's folder, an exported model's, or hub:USER/NAME for one on the Hugging Face Hub."""
    samples: Path | None = None
    """Pictures to measure instead of a run: a folder, or an .npz file with the array images or
    arr_0, uint8 or floats in [-1, 1], channels last."""
    real: Path | None = None
    """The real pictures that they are held against, in the same form."""
    features: Literal["classifier", "lite0", "inception"] | None = None
    """The network that measures --samples: jaxgen's own classifier of 28x28 digits or fashion;
    EfficientNet-Lite0, which 'jaxgen[vision]' brings; Inception-v3 as papers' FID has it, which
    needs --weights. If not given, inception with --weights and lite0 without."""
    weights: Path | None = None
    """The file of the network's weights: pt_inception-2015-12-05-6726825d.pth of pytorch-fid's, or
    torch-fidelity's, for inception."""
    classifier: Literal["digits", "fashion"] = "digits"
    """Which classifier --features classifier is."""
    size: int = setting(0, least=0, most=4096)
    """Side to which the square in the middle of each picture is scaled, as for training; 0 leaves
    pictures as they are, all of one size."""
    batch_size: int = setting(64, least=1, most=4096)
    """Pictures that the network looks at at once, on all devices together."""
    truncation: float | None = setting(None, above=0, most=1e6)
    """Measure a GAN's samples of truncated noise, as `jaxgen sample` draws them; these figures are
    printed only, the run keeps those of all of its noise."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Of the halves and subsets that figures of --samples are taken of."""
    json: bool = False
    """Print the figures as JSON, for scripts."""


_OF_SETS = ("features", "weights", "classifier", "size", "batch_size", "seed")


def main(argv: Sequence[str]) -> int:
    """Evaluate as the command line says."""
    config = cli.parse_command(EvaluateConfig, argv, "jaxgen evaluate")
    if config.samples is None and config.real is None:
        return _of_run(config)
    if config.run:
        raise JaxgenError(f"give a run ({config.run}) or {flag('samples')} and {flag('real')}")
    return _of_sets(config)


def _of_run(config: EvaluateConfig) -> int:
    if not config.run:
        raise JaxgenError(f"give a run, or pictures as {flag('samples')} and {flag('real')}")
    for name in _OF_SETS:
        if getattr(config, name) != getattr(EvaluateConfig, name):
            note(f"{flag(name)} is for {flag('samples')}: a run is measured by its own classifier")
    from jaxgen.training.exporting.folder import is_exported
    from jaxgen.training.finishing import add_evaluation
    from jaxgen.training.run_folder import Run

    model = config.opened()
    tell_devices(precision=model.config.precision)
    figures, table = model.evaluate(**truncated(config.run, model, config.truncation))
    _show(config, figures, table)
    folder = Path(config.run)
    if config.truncation is not None or not folder.is_dir() or is_exported(folder):
        return 0  # an exported model stays as it was exported
    run = Run(config.run)
    add_evaluation(run, figures)
    if not config.json:
        and_page = f" and {run.report_path}" if run.report_path.is_file() else ""
        print(f"added to {run.summary_path}{and_page}")
    return 0


def _of_sets(config: EvaluateConfig) -> int:
    if config.samples is None or config.real is None:
        raise JaxgenError(f"give both {flag('samples')} and {flag('real')}")
    if config.truncation is not None:
        raise JaxgenError(f"{flag('truncation')} is for runs: pictures are measured as they are")
    if config.precision == "bfloat16" or config.data_dir:
        raise JaxgenError(
            f"{flag('precision')} and {flag('data.dir')} are for runs: pictures are measured in "
            "float32, where they are"
        )
    from jaxgen.data import compiled_programs
    from jaxgen.metrics.samples import of_sets

    for place in config.own:
        settings.import_own(place)
    compiled_programs.keep()
    tell_devices()
    features = config.features or ("lite0" if config.weights is None else "inception")
    found = of_sets.measured(
        of_sets.Asked(
            config.samples, config.real, features, config.weights, config.classifier, config.size,
            config.batch_size, config.seed,
        )
    )  # fmt: skip
    _show(config, found, of_sets.table(found))
    return 0


def _show(config: EvaluateConfig, figures: dict[str, Any], table: str) -> None:
    print(json.dumps(figures) if config.json else table)
