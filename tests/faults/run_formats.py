"""Formats of what is in a run's folder, and of weights."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.formats import Format, expect

OLDER = Path(__file__).parents[1] / "runs_0_1"


def _record(folder: Path) -> None:
    from jaxgen.training import configs
    from jaxgen.training.run_folder import write_json

    import_kinds()
    value = json.loads((OLDER / "gan" / "config.json").read_text())
    from jaxgen.training.task import TrainConfig

    config = configs.from_json(value["config"] | {"workdir": ""}, TrainConfig)
    as_json = configs.to_json(config)
    del as_json["workdir"]
    record = configs.Record(as_json, as_json, value["about"], "0.2.0", "")
    write_json(folder / "config.json", record.as_json())


def import_kinds() -> None:
    """The classes that runs name."""
    import jaxgen.captioning.config
    import jaxgen.gan.config  # noqa: F401


def _record_1(kind: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "config.json").write_bytes((OLDER / kind / "config.json").read_bytes())

    return make


def _read_record(folder: Path) -> Any:
    from jaxgen.training import configs
    from jaxgen.training.experiment import read_config
    from jaxgen.training.run_folder import Run
    from jaxgen.training.task import TrainConfig

    import_kinds()
    run = Run(folder)
    record = run.record()
    expect(isinstance(record.config, dict), "a configuration that is none")
    config = read_config(run, record.config)
    expect(isinstance(config, TrainConfig), f"{type(config)}")
    configs.to_json(config)
    return record if _holds(folder / "config.json", "sha256") else None


def _metrics(folder: Path) -> None:
    lines = [f"{step},{1 / step:.6f},{'' if step % 5 else 2.5},{step}\n" for step in range(1, 30)]
    (folder / "metrics.csv").write_text("step,loss,score,speed/x\n" + "".join(lines))


def _read_metrics(folder: Path) -> Any:
    from jaxgen.training.metrics_file import MetricsFile, read_metrics

    path = folder / "metrics.csv"
    _history(read_metrics(path))
    if path.is_dir():  # of which no run says anything but that it cannot write
        return None
    file = MetricsFile(path, 20)
    file.add([{"step": step, "loss": 1.0, "new": 2.0} for step in (21, 22)])
    file.add([{"step": 23, "loss": 1.0}])
    history = read_metrics(path)
    _history(history)
    expect(history["loss"][0][-3:].tolist() == [21, 22, 23], "what was added is not there")
    expect(history["new"][0].tolist() == [21, 22], "what was added is not there")
    return None


def _history(history: Any) -> None:
    for name, (steps, values) in history.items():
        expect(steps.dtype == np.int64 and values.dtype == np.float64, f"{name}: {steps.dtype}")
        expect(steps.shape == values.shape and steps.size, f"{name}: {steps.shape}")
        expect((np.diff(steps) > 0).all() and steps[0] >= 1, f"{name}: steps {steps}")
        expect(np.isfinite(values).all(), f"{name} is not finite")


def _summary(folder: Path) -> None:
    (folder / "summary.json").write_bytes((OLDER / "gan" / "summary.json").read_bytes())


def _read_summary(folder: Path) -> Any:
    from jaxgen.training import finishing
    from jaxgen.training.run_folder import Run

    with contextlib.redirect_stderr(io.StringIO()) as told:
        summary = finishing.read_summary(Run(folder))
        expect(isinstance(finishing.is_whole(Run(folder), 10), bool), "no answer")
    expect(isinstance(summary, dict), f"{type(summary)}")
    for line in told.getvalue().removesuffix("\n").split("\n"):
        expect(not line or (line.startswith("warning: ") and line.isprintable()), f"no line {line}")
    return None


def _sealed_summary(folder: Path) -> None:
    from jaxgen.training import finishing
    from jaxgen.training.run_folder import Run

    summary = json.loads((OLDER / "gan" / "summary.json").read_text())
    finishing.write_summary(Run(folder), summary)


def _read_sealed_summary(folder: Path) -> Any:
    from jaxgen.training import finishing
    from jaxgen.training.run_folder import Run

    sealed = _holds(folder / "summary.json", "sha256")
    summary = finishing.read_summary(Run(folder))
    return summary if summary and sealed else None


def _holds(path: Path, key: str) -> bool:
    """Whether a file is JSON with a key: what has no checksum may be altered."""
    try:
        is_small = path.is_file() and path.stat().st_size < 2**20
        return is_small and key in json.loads(path.read_bytes())
    except (ValueError, TypeError, RecursionError):
        return False


def _weights(folder: Path) -> None:
    weights: dict[str, Any] = {"params/a": np.arange(6, dtype=np.float16)}
    np.savez(folder / "weights.npz", **weights)


def _read_weights(folder: Path) -> Any:
    import hashlib

    from jaxgen.data.scenes import features

    made = folder / "made"
    made.mkdir()
    _weights(made)
    sha256 = hashlib.sha256((made / "weights.npz").read_bytes()).hexdigest()
    return features.load_weights(folder / "weights.npz", sha256)["params"]


_RECORD = "config.json"
_SUMMARY = "summary.json"
FORMATS = (
    Format("weights", "weights.npz", _weights, _read_weights, whole=True),
    Format("record", _RECORD, _record, _read_record, "json", whole=True),
    Format("record 1 GAN", _RECORD, _record_1("gan"), _read_record, "json"),
    Format("record 1 captioner", _RECORD, _record_1("captioner"), _read_record, "json"),
    Format("metrics", "metrics.csv", _metrics, _read_metrics, "lines"),
    Format("summary", _SUMMARY, _summary, _read_summary, "json"),
    Format("sealed summary", _SUMMARY, _sealed_summary, _read_sealed_summary, "json", whole=True),
)
