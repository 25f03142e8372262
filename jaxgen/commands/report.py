"""`jaxgen report RUN [RUN ...]`: a page about runs, in one file that needs nothing else."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jaxgen
from jaxgen.commands import cli, pictures
from jaxgen.commands.runs_argument import RunsArgument
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting
from jaxgen.settings.notes import note

_MOST_BYTES = 64 * 2**20  # of the pixels of samples of one run


@dataclass(frozen=True)
class ReportConfig(RunsArgument):
    """Write a page about one run or several: curves, samples, figures, configuration.

    One file, which needs no network and can be sent by mail. Of several runs those of one
    configuration are taken together, and GANs are sampled from the same noise.
    """

    out: Path = Path("report.html")
    """The page to write."""
    sample: bool = True
    """Draw samples of several GANs from the same noise; otherwise the page has the pictures that
    training left."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of that noise."""


def main(argv: Sequence[str]) -> int:
    """Report as the command line says."""
    config = cli.parse_command(ReportConfig, argv, "jaxgen report")
    pictures.refuse_out(config.out, (".html", ".htm"))
    from jaxgen.display.replacing import replacing
    from jaxgen.display.report.page import page

    told = config.read(captions=True)
    drawn, notes = {}, []
    if config.sample and len(told) > 1:
        drawn, notes = _drawn(config, told)
    for sentence in notes:
        note(sentence)
    content = page(told, drawn, notes, version=jaxgen.__version__)
    with replacing(config.out) as temporary:
        temporary.write_text(content, encoding="utf-8")
    runs = "1 run" if len(told) == 1 else f"{len(told)} runs"
    print(f"{config.out}: {runs}, {len(content.encode()) / 1e6:.2f} MB")
    return 0


def _drawn(config: ReportConfig, told: Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
    """Samples of each GAN from one noise, by the run's name; why there are none of others."""
    from jaxgen.data import compiled_programs

    compiled_programs.keep()
    drawn, notes = {}, []
    for place, run in zip(config.runs, told, strict=True):
        if run.captions or not run.frames:
            continue
        try:
            drawn[run.name] = _grid(place, config.seed)
        except JaxgenError as error:
            notes.append(f"{run.name} is shown as training left it: {error}")
    return drawn, notes


def _grid(place: str, seed: int) -> Any:
    import numpy as np

    from jaxgen.display import plots
    from jaxgen.training import experiment
    from jaxgen.training.task import CanSample
    from jaxgen.training.trained_replicas import TrainedReplicas

    model: Any = experiment.load(place)
    if isinstance(model, TrainedReplicas):
        model = model.replica(0)
    if not isinstance(model, CanSample):
        raise JaxgenError("it draws no samples")
    classes = min(getattr(model, "classes", 0), 20)
    labels = np.repeat(np.arange(classes), 8) if classes else None
    images = model.sample(seed=seed, n=64, labels=labels)
    if images.nbytes > _MOST_BYTES:
        raise JaxgenError("its samples are too large")
    print(f"samples of {place}", file=sys.stderr)
    return plots.grid(images, columns=8)
