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


def _events(folder: Path) -> None:
    from jaxgen.training.events import Events

    events = Events(folder / "events.jsonl", 0)
    events.add("began", 0, command="jaxgen train dcgan", versions={"jax": "0.10"}, cores=2)
    for step in (5, 10):
        events.add("alarm", step, said=f"something looks wrong at {step}")


def _read_events(folder: Path) -> Any:
    from jaxgen.training.events import Events, read_events

    path = folder / "events.jsonl"
    events, problem = read_events(path)
    expect(all(event["step"] in (0, 5, 10) for event in events), "an event that nobody wrote")
    expect(isinstance(problem, str) and "\n" not in problem, "no sentence")
    if path.is_file() or not path.exists():
        Events(path, 5).add("alarm", 6, said="new")
        events, problem = read_events(path)
        expect(events[-1]["step"] == 6 and not problem, "what was added is not there")
    return None


def _shown(folder: Path) -> None:
    from jaxgen.training import shown_captions
    from jaxgen.training.task import ShownCaption

    looked = np.linspace(0, 1, 8).reshape(2, 2, 2)
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    shown = [ShownCaption(3, picture, ("a", "cat"), " ", "a true one", looked)]
    shown_captions.write(folder / "step_000010.json", shown)


def _read_shown(folder: Path) -> Any:
    import dataclasses

    from jaxgen.training import shown_captions

    return [dataclasses.asdict(one) for one in shown_captions.read(folder / "step_000010.json")]


def _told(folder: Path) -> None:
    for name in ("config.json", "metrics.csv"):
        (folder / name).write_bytes((OLDER / "gan" / name).read_bytes())
    summary = json.loads((OLDER / "gan" / "summary.json").read_text())
    figure = {"value": 5.0, "matched": 6.0, "floor": 0.1}
    summary["evaluation"] = {
        "fid": figure,
        "recall": figure,
        "notes": ["none"],
        "nearest": {"a": 1},
    }
    (folder / "summary.json").write_text(json.dumps(summary))


def _read_told(folder: Path) -> Any:
    from jaxgen.display.report.comparison import Comparison
    from jaxgen.display.report.page import page
    from jaxgen.training import told_run

    import_kinds()
    found = told_run.read(folder)
    told = told_run.told(found)
    for content in (page([told]), page([told, told])):
        expect(content.count("<script") == 3, "a script that nobody wrote")
        data = content.split('id="data">')[1].split("</script>")[0]
        json.loads(data, parse_constant=lambda name: expect(False, f"{name} is no JSON"))
    json.dumps(Comparison([told, told]).as_json())
    expect(told_run.in_short(found).state in ("finished", "interrupted"), "no state")
    return None


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
    Format("events", "events.jsonl", _events, _read_events, "lines"),
    Format("shown captions", "step_000010.json", _shown, _read_shown, "json", whole=True),
    Format("report's summary", _SUMMARY, _told, _read_told, "json"),
    Format("report's metrics", "metrics.csv", _told, _read_told, "lines"),
    Format("report's record", _RECORD, _told, _read_told, "json"),
    Format("summary", _SUMMARY, _summary, _read_summary, "json"),
    Format("sealed summary", _SUMMARY, _sealed_summary, _read_sealed_summary, "json", whole=True),
)
