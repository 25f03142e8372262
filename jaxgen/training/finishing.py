"""What a run's folder gets when training ends: curves, an animation and, last, `summary.json`.

All of it follows from what the folder holds, so that a run whose process died while it was being
finished is finished by the next call.
"""

import platform
import sys
import time
from importlib.metadata import version
from typing import Any

import jax
import numpy as np

from jaxgen.display import plots
from jaxgen.errors import JaxgenError
from jaxgen.training.metrics_file import History, read_metrics
from jaxgen.training.run_folder import Run, read_json, write_json
from jaxgen.training.task import TrainConfig

MOST_FRAMES = 200  # of the animation: more of them take minutes and gigabytes


def is_whole(run: Run, step: int) -> bool:
    """Whether all that a run of `step` steps promises is there."""
    summary = read_summary(run)
    told = (summary.get("step"), summary.get("finished")) == (step, True)
    return told and (run.path / "curves.png").is_file()


def read_summary(run: Run) -> dict[str, Any]:
    """What `summary.json` holds; {} where there is none. A damaged one is set aside."""
    path = run.summary_path
    if not path.exists():
        return {}
    try:
        summary = read_json(path)
        if isinstance(summary, dict):
            return summary
        problem = "it holds no JSON object"
    except JaxgenError as error:
        problem = str(error)
    aside = path.with_name("damaged-summary.json")
    path.replace(aside)
    print(f"warning: {path} is damaged ({problem}); it is now {aside.name}", file=sys.stderr)
    return {}


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
        if history:
            plots.save_curves(run.path / "curves.png", history)
        frames = sorted(run.samples_path.glob("step_*.png"))
        if frames:
            chosen = np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames))).astype(int)
            plots.save_animation(run.path / "samples.gif", [frames[index] for index in chosen])
    earlier = read_summary(run) if trained < step else {}
    before = earlier.get("wall_seconds", 0)
    speed = round(trained / seconds, 3) if seconds else earlier.get("steps_per_second")
    write_json(
        run.summary_path,
        {
            "step": step,
            "finished": finished,
            "metrics": _newest(history, step, config.log_every),
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
        },
    )


def _newest(history: History, step: int, log_every: int) -> dict[str, float]:
    """Each metric's mean since the log line before the last; the newest figure of the others."""
    after = (step - 1) // log_every * log_every
    return {
        name: float(values[steps > after].mean() if (steps > after).any() else values[-1])
        for name, (steps, values) in history.items()
    }
