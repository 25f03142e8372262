"""What a run's folder gets when training ends: curves, an animation and, last, `summary.json`.

All of it follows from what the folder holds, so that a run whose process died while it was being
finished is finished by the next call. `summary.json` tells the SHA-256 of what is there, and its
own.
"""

import hashlib
import json
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxgen
from jaxgen.data.sealing import is_broken, sealed
from jaxgen.display import plots
from jaxgen.display.replacing import replacing
from jaxgen.display.report.page import page
from jaxgen.errors import JaxgenError
from jaxgen.training import events, seeds, told_run
from jaxgen.training.metrics_file import History, read_metrics
from jaxgen.training.run_folder import Run, read_json, write_json
from jaxgen.training.task import TrainConfig

_CURVES, _ANIMATION, _REPORT = "curves.png", "samples.gif", "report.html"
MOST_FRAMES = 200  # of the animation: more of them take minutes and gigabytes


def is_whole(run: Run, step: int) -> bool:
    """Whether all that a run of `step` steps promises is there, as it was written.

    Metrics and pictures that were altered cannot be had again; a warning names them.
    """
    summary = read_summary(run)
    if (summary.get("step"), summary.get("finished")) != (step, True):
        return False
    told, found = summary.get("files"), _files(run)
    if not isinstance(told, dict):  # 0.1.0 told none
        return _CURVES in found
    for name in (run.metrics_path.name, events.NAME, run.samples_path.name):
        if told.get(name) != found.get(name):
            print(
                f"warning: {run.path / name} is not as it was when the run ended", file=sys.stderr
            )
    return all(told.get(name) == found.get(name) for name in (_CURVES, _ANIMATION, _REPORT))


def _files(run: Run) -> dict[str, str]:
    """SHA-256 of a run's results by name; all pictures have one together."""
    single = [run.path / _CURVES, run.path / _ANIMATION, run.report_path]
    single += [run.metrics_path, run.events_path]
    found = {path.name: _sha256([path]) for path in single if path.is_file()}
    shown = sorted(path for path in run.samples_path.glob("step_*") if path.is_file())
    return found | ({run.samples_path.name: _sha256(shown)} if shown else {})


def _sha256(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def read_summary(run: Run) -> dict[str, Any]:
    """What `summary.json` holds; {} where there is none. A damaged one is set aside."""
    path = run.summary_path
    if not path.exists():
        return {}
    try:
        summary = read_json(path)
        if not isinstance(summary, dict):
            problem = "it holds no JSON object"
        elif is_broken(summary):
            problem = "its checksum does not match"
        else:
            return summary
    except JaxgenError as error:
        problem = str(error)
    aside = path.with_name("damaged-summary.json")
    path.replace(aside)
    print(f"warning: {path} is damaged ({problem}); it is now {aside.name}", file=sys.stderr)
    return {}


def write_summary(run: Run, summary: dict[str, Any]) -> None:
    """Write `summary.json`, with a checksum over its entries."""
    write_json(run.summary_path, sealed(json.loads(json.dumps(summary))))


def finish(
    run: Run,
    config: TrainConfig,
    step: int,
    checksum: str,
    seconds: float = 0.0,
    trained: int = 0,
) -> None:
    """Write what a run that ended after `step` steps promises; less of it if it was interrupted.

    Args:
        run: its folder.
        config: its numbers.
        step: steps in its newest checkpoint.
        checksum: of that checkpoint.
        seconds: that training took in this process.
        trained: steps taken in this process.
    """
    finished = step == config.steps
    history = read_metrics(run.metrics_path)
    if finished:  # on a signal there may be no time
        if history and config.replicas > 1:
            means, spreads = seeds.means_and_spreads(history)
            plots.save_curves(run.path / _CURVES, means, spreads, f"{config.replicas} seeds")
        elif history:
            plots.save_curves(run.path / _CURVES, history)
        frames = sorted(run.samples_path.glob("step_*.png"))
        if frames:
            chosen = np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames))).astype(int)
            plots.save_animation(run.path / _ANIMATION, [frames[index] for index in chosen])
    earlier = read_summary(run) if trained < step else {}
    before = earlier.get("wall_seconds", 0)
    speed = round(trained / seconds, 3) if seconds else earlier.get("steps_per_second")
    summary = {
        "step": step,
        "finished": finished,
        "metrics": _newest(history, step, config),
        "wall_seconds": round(seconds + (before if isinstance(before, int | float) else 0), 3),
        "steps_per_second": speed,
        "parameters_sha256": checksum,
        "seed": config.seed,
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("jax", "jaxlib", "flax", "optax")},
        },
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    if "evaluation" in earlier and earlier.get("parameters_sha256") == checksum:
        summary["evaluation"] = earlier["evaluation"]
    if finished:
        _write_report(run, summary, history)
    write_summary(run, summary | {"files": _files(run) if finished else {}})


def add_evaluation(run: Run, figures: dict[str, Any]) -> None:
    """Add what `jaxgen evaluate` measured to `summary.json`, and to the report of a finished run.

    Raises:
        OSError: the folder cannot be written.
    """
    summary = read_summary(run) | {"evaluation": figures}
    told = summary.get("files")
    if isinstance(told, dict) and _REPORT in told:
        _write_report(run, summary)
        summary["files"] = told | {_REPORT: _sha256([run.report_path])}
    write_summary(run, summary)


def _write_report(run: Run, summary: dict[str, Any], history: History | None = None) -> None:
    """Write `report.html` of a run whose `summary.json` is about to say that it is finished."""
    found = told_run.read(run.path)._replace(summary=summary)
    found = found._replace(notes=[note for note in found.notes if "summary.json" not in note])
    told = told_run.told(found, standing="finished", history=history)
    content = page([told], version=jaxgen.__version__)
    with replacing(run.report_path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _newest(history: History, step: int, config: TrainConfig) -> dict[str, float]:
    """Each metric's mean since the log line before the last; the newest figure of the others."""
    after = (step - 1) // config.log_every * config.log_every
    newest = {
        name: float(values[steps > after].mean() if (steps > after).any() else values[-1])
        for name, (steps, values) in history.items()
    }
    return seeds.with_spread(newest) if config.replicas > 1 else newest
