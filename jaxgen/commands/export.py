"""`jaxgen export RUN --out FOLDER`: a trained model as a folder to give away."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgen.commands import cli
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import ReplicaArgument
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting
from jaxgen.training.task import TrainedModel

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,40}")


@dataclass(frozen=True)
class ExportConfig(ReplicaArgument):
    """Write a trained model as a folder to give away: weights, configuration, card, checksums.

    `jaxgen.load(FOLDER)` opens it, and so do sample, caption and evaluate.
    """

    out: Path = Path()
    """The folder, which must not hold anything yet."""
    stablehlo: bool = False
    """Add a StableHLO program for CPU, CUDA and TPU, and a script that runs it without jaxgen."""
    torch: bool = False
    """Add a PyTorch state dict, and the source of its module."""
    onnx: bool = False
    """Add ONNX, which PyTorch makes of the module that --torch adds (extra `onnx`)."""
    license: str = ""
    """Of the weights, as the Hugging Face Hub calls it, `apache-2.0` for one; none by default."""
    hub: str = ""
    """Publish it there too: USER/NAME on the Hugging Face Hub (extra `hub`)."""
    public: bool = False
    """Let everybody see what --hub makes; by default its owner alone."""
    replica: int | None = setting(None, least=0)
    """Of a run with several replicas the one that is exported, from 0; it has to be given."""

    def opened(self) -> TrainedModel:
        """The trained model; of a run with several replicas the one that is asked for."""
        from jaxgen.commands.run_argument import RunArgument
        from jaxgen.training.trained_replicas import TrainedReplicas

        if self.replica is not None:
            return super().opened()
        model = RunArgument.opened(self)
        if isinstance(model, TrainedReplicas):
            raise JaxgenError(
                f"{self.run} has {model.replicas} replicas: say which one is exported, by "
                f"--replica 0 to {model.replicas - 1}"
            )
        return model


def refuse_license(name: str) -> None:
    """Refuse what is no name of a licence.

    Raises:
        JaxgenError: it is none.
    """
    if name and not _LICENSE.fullmatch(name):
        raise JaxgenError(
            f"--license {name!r} is no name of a licence, as `apache-2.0` or `mit` is"
        )


def main(argv: Sequence[str]) -> int:
    """Export as the command line says."""
    config = cli.parse_command(ExportConfig, argv, "jaxgen export")
    if config.out == Path():
        raise JaxgenError("give --out, the folder that is written")
    refuse_license(config.license)
    from jaxgen.training.exporting import folder, hub
    from jaxgen.training.exporting.exportable import CanExport

    model = config.opened()
    if not isinstance(model, CanExport):
        raise JaxgenError(f"{config.run} holds a kind of model that has no `exportable()`")
    tell_devices(precision=model.config.precision)
    figures, source = _measured(config)
    extras = folder.Extras(
        config.stablehlo, config.torch, config.onnx, config.license, figures, source
    )
    written = folder.write(model, config.out, extras)
    print(f"{config.out}: {', '.join(written)}")
    if config.hub:
        print(f"published: {hub.publish(config.out, config.hub, private=not config.public)}")
    return 0


def _measured(config: ExportConfig) -> tuple[dict[str, Any], str]:
    """The figures of a run or of an exported folder, and where the latter is from."""
    from jaxgen.training.exporting import folder
    from jaxgen.training.finishing import read_summary
    from jaxgen.training.run_folder import Run

    path = Path(config.run)
    if folder.is_exported(path):
        record = folder.read_record(path)
        return record["figures"], record["source"]
    if not path.is_dir():  # of the Hub
        return {}, ""
    summary = read_summary(Run(path))
    figures = summary.get("evaluation") or summary.get("metrics") or {}
    each = figures.get("replicas")
    if config.replica is not None and isinstance(each, list):  # of `jaxgen evaluate`
        return (each[config.replica] if config.replica < len(each) else {}), ""
    return figures, ""
