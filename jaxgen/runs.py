"""A run's folder: its configuration, metrics, pictures and checkpoints, written and read.

config.json  metrics.csv  curves.png  samples/step_000500.png  samples.gif
checkpoints/  tensorboard/  summary.json
"""

import csv
import json
import os
import platform
import sys
import time
from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen import configs, plots
from jaxgen.checkpoints import Checkpoints, Restored, first_non_finite
from jaxgen.errors import JaxgenError
from jaxgen.progress import Progress
from jaxgen.task import Shown, TrainConfig
from jaxgen.train import Diverged, Outcome, Watcher


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=2) + "\n")
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """Read a run's JSON file; JaxgenError when it is not there or not JSON."""
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise JaxgenError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise JaxgenError(f"{path} is not JSON: {error}") from error


class Run:
    """The folder of one run."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config_path = self.path / "config.json"
        self.metrics_path = self.path / "metrics.csv"
        self.samples_path = self.path / "samples"
        self.summary_path = self.path / "summary.json"

    def exists(self) -> bool:
        """Whether a run was started here.

        Raises:
            JaxgenError: the path is a file, or a folder of something else.
        """
        if self.config_path.is_file():
            return True
        if self.path.exists() and not self.path.is_dir():
            raise JaxgenError(f"{self.path} is not a folder; choose another --workdir")
        try:
            foreign = self.path.is_dir() and any(self.path.iterdir())
        except OSError as error:
            raise JaxgenError(f"cannot read {self.path}: {error.strerror}") from error
        if foreign:
            raise JaxgenError(
                f"{self.path} holds files but no config.json, so it is not a run; "
                "choose another --workdir"
            )
        return False

    def create(self, record: dict[str, Any]) -> None:
        """Make the folder and write `config.json`, the last thing to make it a run."""
        try:
            self.samples_path.mkdir(parents=True, exist_ok=True)
            write_json(self.config_path, record)
        except OSError as error:
            raise JaxgenError(f"cannot write to {self.path}: {error.strerror}") from error

    def record(self) -> dict[str, Any]:
        """What `config.json` holds: `config`, `default` and `about`."""
        record = read_json(self.config_path)
        if not isinstance(record, dict) or not {"config", "default"} <= record.keys():
            raise JaxgenError(f"{self.config_path} is not a run's configuration")
        return record

    def checkpoints(self, keep: int = 3) -> Checkpoints:
        """The run's checkpoints."""
        return Checkpoints(self.path / "checkpoints", keep)


def load(path: str | Path) -> Any:
    """Open a run and restore its newest checkpoint.

    Returns:
        What the run's configuration makes of it: a `jaxgen.trained_gan.TrainedGan` or a
        `jaxgen.trained_captioner.TrainedCaptioner`.

    Raises:
        JaxgenError: not a run, no checkpoint yet, or damaged ones only.
    """
    run = Run(path)
    if not run.exists():
        raise JaxgenError(f"{path} is not a run: there is no such folder, or it is empty")
    record = run.record()
    config = configs.from_json(record["config"] | {"workdir": str(path)})
    restored = run.checkpoints().restore()
    if restored is None:
        raise JaxgenError(f"{path} has no checkpoint yet; train it further")
    for sentence in damage_report(restored):
        print(sentence, file=sys.stderr)
    return config.restored(restored.state, record["about"])


def damage_report(restored: Restored) -> list[str]:
    """A sentence for each newer checkpoint that was passed over."""
    return [
        f"warning: checkpoint {step} is damaged ({reason}); using step {restored.step} instead"
        for step, reason in restored.damaged.items()
    ]


def read_metrics(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """`metrics.csv` as name -> (steps, values), rows without a value left out."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in (rows[0] if rows else {}) if name != "step"]
    found = {
        name: [(int(row["step"]), float(row[name])) for row in rows if row[name]] for name in names
    }
    return {
        name: (np.array([s for s, _ in pairs]), np.array([v for _, v in pairs]))
        for name, pairs in found.items()
        if pairs
    }


class Metrics:
    """`metrics.csv`, a row a step; cut back to `start` steps when a run goes on from there."""

    def __init__(self, path: Path, start: int):
        self._path = path
        self._names: list[str] = []
        rows: list[dict[str, str]] = []
        if path.is_file():
            with path.open(newline="") as file:
                reader = csv.DictReader(file)
                # The last line of a killed run may be cut short, even within its step.
                rows = [row for row in reader if None not in row.values()]
                self._names = [name for name in reader.fieldnames or [] if name != "step"]
        self._write([row for row in rows if int(row["step"]) <= start])

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows that have a `step`; a metric not seen before adds a column."""
        rows = list(rows)
        new = [n for row in rows for n in row if n != "step" and n not in self._names]
        if new:
            self._names += dict.fromkeys(new)
            if self._path.is_file():
                with self._path.open(newline="") as file:
                    rows = [*csv.DictReader(file), *rows]
            self._write(rows)
            return
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, ["step", *self._names], restval="").writerows(rows)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", *self._names], restval="")
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(self._path)


class Recorder(Watcher):
    """Writes what the loop reports into a run's folder, and shows the progress."""

    def __init__(self, run: Run, config: TrainConfig, start: int):
        self._run, self._config, self._start = run, config, start
        self._metrics = Metrics(run.metrics_path, start)
        self._checkpoints = run.checkpoints(config.keep_checkpoints)
        self._progress = Progress(config.steps, start)
        self._logged = start
        self._pending: dict[str, list[np.ndarray]] = {}
        self._newest: dict[str, float] = {}
        self._checksum = ""
        run.samples_path.mkdir(exist_ok=True)
        for path in run.samples_path.glob("step_*.png"):
            if int(path.stem.removeprefix("step_")) > start:
                path.unlink()

    def metrics(
        self, first_step: int, history: dict[str, np.ndarray], figures: dict[str, float]
    ) -> None:
        count = len(next(iter(history.values())))
        step = first_step + count - 1
        rows = [
            {"step": first_step + i} | {name: _digits(row[i]) for name, row in history.items()}
            for i in range(count)
        ]
        rows[-1] |= {name: _digits(value) for name, value in figures.items()}
        self._metrics.add(rows)
        for name, row in history.items():
            self._pending.setdefault(name, []).append(row)
        if step % self._config.log_every == 0 or step == self._config.steps:
            means = {n: float(np.concatenate(part).mean()) for n, part in self._pending.items()}
            self._pending = {}
            self._progress.update(step, means)
            self._board_scalars(step, means)
        if figures:
            self._board_scalars(step, figures)
            words = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
            self._progress.say(f"step {step}: {words}")

    def show(self, step: int, shown: Shown) -> None:
        plots.save_image(self._run.samples_path / f"step_{step:06d}.png", shown.picture)
        self._board.add_image("samples", np.atleast_3d(shown.picture), step, dataformats="HWC")
        if shown.text:
            self._progress.say(shown.text)

    def alarm(self, step: int, sentence: str) -> None:
        self._progress.say(f"warning: step {step}: {sentence}")

    def checkpoint(self, step: int, state: Any) -> None:
        if path := first_non_finite(state):
            raise Diverged(
                f"the parameters are not finite after step {step} ({path}): training diverged; "
                "try a smaller --optimizer.learning-rate in a new --workdir"
            )
        self._checksum = self._checkpoints.save(step, state)

    def finish(self, outcome: Outcome) -> None:
        """Write the curves, the animation and `summary.json`."""
        self.close()
        plots.save_curves(self._run.path / "curves.png", read_metrics(self._run.metrics_path))
        frames = sorted(self._run.samples_path.glob("step_*.png"))
        if frames:
            plots.save_animation(self._run.path / "samples.gif", frames)
        earlier = read_json(self._run.summary_path) if self._run.summary_path.exists() else {}
        seconds = outcome.seconds + (earlier.get("wall_seconds", 0) if self._start else 0)
        steps = outcome.step - self._start
        write_json(
            self._run.summary_path,
            {
                "step": outcome.step,
                "finished": outcome.step == self._config.steps,
                "metrics": self._newest,
                "wall_seconds": round(seconds, 3),
                "steps_per_second": round(steps / outcome.seconds, 3),
                "parameters_sha256": self._checksum,
                "seed": self._config.seed,
                "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
                "versions": {
                    "python": platform.python_version(),
                    **{name: version(name) for name in ("jax", "jaxlib", "flax", "optax")},
                },
                "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            },
        )

    def close(self) -> None:
        """Close the files and leave the progress as it stands."""
        self._progress.close()
        if "_board" in self.__dict__:
            self._board.close()

    @cached_property
    def _board(self):
        # Late: tensorboardX imports PyTorch where there is one, which takes seconds.
        from tensorboardX import SummaryWriter

        return SummaryWriter(str(self._run.path / "tensorboard"), purge_step=self._start + 1)

    def _board_scalars(self, step: int, figures: dict[str, float]) -> None:
        self._newest |= figures
        for name, value in figures.items():
            self._board.add_scalar(name, value, step)


def _digits(value: float) -> str:
    """Nine significant digits, which give back any float32."""
    return f"{value:.9g}"
