"""Writes what the loop reports into a run's folder, and shows the progress."""

from functools import cached_property
from typing import Any

import numpy as np

from jaxgen.display import plots
from jaxgen.display.progress import Progress
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training.configs import Record
from jaxgen.training.finishing import finish
from jaxgen.training.loop import Outcome, Watcher
from jaxgen.training.metrics_file import MetricsFile
from jaxgen.training.run_folder import Run
from jaxgen.training.run_lock import RunLock
from jaxgen.training.task import Shown, TrainConfig


class Recorder(Watcher):
    """Writes what the loop reports into a run's folder, and shows the progress."""

    def __init__(
        self, run: Run, config: TrainConfig, start: int, record: Record, lock: RunLock
    ) -> None:
        self._run, self._config, self._start, self._record = run, config, start, record
        self._lock, self._resumed = lock, run.exists()
        self._checkpoints = run.checkpoints(config.keep_checkpoints)
        self._pending: dict[str, list[np.ndarray]] = {}
        self._checksum = ""

    def start(self) -> None:
        self._run.make()
        self._lock.acquire()
        if self._run.exists() and not self._resumed:
            raise JaxgenError(
                f"another process began a run in {self._run.path} meanwhile; repeat the command to "
                f"go on with it, or choose another {flag('workdir')}"
            )
        self._run.write_record(self._record)
        self._metrics = MetricsFile(self._run.metrics_path, self._start)
        self._progress = Progress(self._config.steps, self._start)
        for path in self._run.samples_path.glob("step_*.png"):
            if int(path.stem.removeprefix("step_")) > self._start:
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
            self._progress.update(step, means | figures)
            self._board_scalars(step, means | figures)
        elif figures:
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
        self._checksum = self._checkpoints.save(step, state)

    def finish(self, outcome: Outcome) -> None:
        """Write the curves, the animation and `summary.json`."""
        self.close()
        trained = outcome.step - self._start
        finish(self._run, self._config, outcome.step, self._checksum, outcome.seconds, trained)

    def close(self) -> None:
        """Close the files and leave the progress as it stands."""
        if "_progress" in self.__dict__:
            self._progress.close()
        if "_board" in self.__dict__:
            self._board.close()

    @cached_property
    def _board(self) -> Any:
        # Late: tensorboardX imports PyTorch where there is one, which takes seconds.
        from tensorboardX import SummaryWriter

        return SummaryWriter(str(self._run.path / "tensorboard"), purge_step=self._start + 1)

    def _board_scalars(self, step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self._board.add_scalar(name, value, step)


def _digits(value: float) -> str:
    """Nine significant digits, which give back any float32."""
    return f"{value:.9g}"
