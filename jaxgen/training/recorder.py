"""Writes what the loop reports into a run's folder, and shows the progress."""

import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxgen.display import plots
from jaxgen.display.progress import Progress
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training import shown_captions
from jaxgen.training.board import Board
from jaxgen.training.configs import Record
from jaxgen.training.devices import memory_in_words
from jaxgen.training.events import Events
from jaxgen.training.finishing import finish
from jaxgen.training.loop import Outcome
from jaxgen.training.metrics_file import MetricsFile, metrics_of, read_metrics
from jaxgen.training.processes import together
from jaxgen.training.run_folder import Run
from jaxgen.training.run_lock import RunLock
from jaxgen.training.seeds import of_all, with_spread
from jaxgen.training.task import Shown, TrainConfig
from jaxgen.training.watchers.audience import Audience
from jaxgen.training.watchers.base import RunWatcher, State
from jaxgen.training.watching import Watcher

_FAILED: tuple[State, str] = ("failed", "")  # what has not ended otherwise


class Recorder(Watcher):
    """Writes what the loop reports into a run's folder, and shows the progress."""

    def __init__(
        self,
        run: Run,
        config: TrainConfig,
        start: int,
        record: Record,
        lock: RunLock,
        row: dict[str, str] | None = None,
        began: Mapping[str, Any] = MappingProxyType({}),
        watchers: Mapping[str, RunWatcher] = MappingProxyType({}),
    ) -> None:
        """Takes the folder, its numbers, the steps done, what it will hold, and its lock.

        Args:
            run: the folder.
            config: the run's numbers.
            start: steps done before.
            record: for `config.json`.
            lock: of the folder.
            row: metrics of the step `start`, which the file lacks.
            began: what takes up training, for `events.jsonl`.
            watchers: who else is told, by name.
        """
        self._run, self._config, self._start, self._record = run, config, start, record
        self._lock, self._resumed = lock, run.exists()
        self._checkpoints = run.checkpoints(config.keep_checkpoints)
        self._pending: dict[str, list[np.ndarray]] = {
            name: [np.asarray([value])] for name, value in metrics_of(row or {}).items()
        }
        self._checksum, self._began, self._step = "", began, start
        self._board = Board(run.path / "tensorboard", start)
        self._audience, self._end = Audience(watchers), _FAILED
        self._row: dict[str, str] = row or {}  # of the newest step, until its figures are there

    def start(self) -> None:
        together(self._open)

    def _open(self) -> None:
        self._run.make()
        self._lock.acquire()
        if self._run.exists() and not self._resumed:
            raise JaxgenError(
                f"another process began a run in {self._run.path} meanwhile; repeat the command to "
                f"go on with it, or choose another {flag('workdir')}"
            )
        self._run.write_record(self._record)
        self._metrics = MetricsFile(self._run.metrics_path, self._start - bool(self._row))
        self._events = Events(self._run.events_path, self._start - bool(self._row))
        self._events.add("began", self._start, **self._began)
        self._run.checkpoints().sweep()
        config, start = self._config, self._start
        examples = config.batch_size * config.replicas
        self._progress = Progress(config.steps, start, examples, memory_in_words)
        settings, began = self._record.config, dict(self._began)
        self._audience.start(
            self._run.path, start, config.steps, settings, began, self._progress.say, self._past
        )
        for step, path in self._run.sample_files():
            if step > self._start:
                path.unlink()

    def metrics(self, first_step: int, history: dict[str, np.ndarray]) -> None:
        count = len(next(iter(history.values())))
        rows = [
            {"step": str(first_step + i)} | {name: _digits(row[i]) for name, row in history.items()}
            for i in range(count)
        ]
        self._metrics.add(rows[:-1])
        self._row, self._step = rows[-1], first_step + count - 1
        for name, row in history.items():
            self._pending.setdefault(name, []).append(row)

    def checkpoint(self, step: int, state: Any) -> None:
        self._metrics.sync()
        # The last row is not written yet: without its figures it would count as done with.
        self._checksum = self._checkpoints.save(step, state, self._row)

    def show(self, step: int, shown: Shown) -> None:
        plots.save_image(self._run.samples_path / f"step_{step:06d}.png", shown.picture)
        if shown.captions:
            shown_captions.write(self._run.samples_path / f"step_{step:06d}.json", shown.captions)
        self._board.picture(step, shown.picture)
        self._audience.picture(step, shown.picture, shown.text)
        if shown.text:
            self._progress.say(shown.text)

    def figures(self, step: int, figures: dict[str, float]) -> None:
        self._metrics.add([self._row | {n: _digits(value) for n, value in figures.items()}])
        self._row = {}
        if step % self._config.log_every == 0 or step == self._config.steps:
            means = {n: float(np.concatenate(part).mean()) for n, part in self._pending.items()}
            self._pending = {}
            told = self._summed_up(means | figures)
            self._progress.update(step, self._said(told))
            self._tell(step, told)
        elif figures:
            self._tell(step, figures)
            said = self._said(figures)
            words = "  ".join(f"{name} {value:.4g}" for name, value in said.items())
            self._progress.say(f"step {step}: {words}")

    def _tell(self, step: int, figures: dict[str, float]) -> None:
        self._board.scalars(step, figures)
        self._audience.scalars(step, figures)

    def _past(self) -> list[tuple[int, dict[str, float]]]:
        """The log lines of the steps that were done before, as they are in `metrics.csv`."""
        every, until = self._config.log_every, self._start - bool(self._row)
        lines: dict[int, dict[str, float]] = {}
        for name, (steps, values) in read_metrics(self._run.metrics_path).items():
            line = -(-steps // every) * every  # that tells of a step
            first = np.flatnonzero(np.diff(line, prepend=-1))
            if not len(first):
                continue
            means = np.add.reduceat(values, first) / np.diff(first, append=len(line))
            for step, mean in zip(line[first], means, strict=True):
                if step <= until:
                    lines.setdefault(int(step), {})[name] = float(mean)
        return [(step, self._summed_up(lines[step])) for step in sorted(lines)]

    def _summed_up(self, means: dict[str, float]) -> dict[str, float]:
        """With the spread of the seeds' means, where there are several, for the mean spread."""
        return with_spread(means) if self._config.replicas > 1 else means

    def _said(self, figures: dict[str, float]) -> dict[str, float]:
        """What there is room for in a line."""
        return of_all(figures) if self._config.replicas > 1 else figures

    def alarm(self, step: int, sentence: str) -> None:
        self._progress.say(f"warning: step {step}: {sentence}")
        self._events.add("alarm", step, said=sentence)
        self._audience.alarm(step, sentence)

    def diverged(self, sentence: str) -> None:
        self._end = ("diverged", sentence)
        with contextlib.suppress(OSError):  # what ends training is what is to be told
            self._events.add("diverged", self._step, said=sentence)

    def finish(self, outcome: Outcome) -> None:
        """Write the curves, the animation and `summary.json`."""
        self._progress.close()
        trained = outcome.step - self._start
        # Where nothing was trained the newest checkpoint has the checksum.
        mark = self._checksum or self._checkpoints.save(outcome.step, outcome.state)

        def write() -> None:
            finish(self._run, self._config, outcome.step, mark, outcome.seconds, trained)

        together(write)
        self._audience.end(outcome.step, "interrupted" if outcome.interrupted else "finished")

    def close(self) -> None:
        """Leave the progress as it stands, and tell that training did not end well."""
        if "_progress" in self.__dict__:
            self._progress.close()
        self._audience.end(self._step, *self._end)


class Follower(Watcher):
    """What every process but the first does: its share of the checkpoints."""

    def __init__(self, run: Run, keep: int) -> None:
        """Takes the folder, which the first process makes, and how many checkpoints stay."""
        self._checkpoints = run.checkpoints(keep)
        self._saved = False

    def start(self) -> None:
        together(_wait)

    def checkpoint(self, step: int, state: Any) -> None:
        self._checkpoints.save(step, state)
        self._saved = True

    def finish(self, outcome: Outcome) -> None:
        """Wait until the first process has written the results."""
        if not self._saved:
            self._checkpoints.save(outcome.step, outcome.state)
        together(_wait)

    def close(self) -> None:
        """Nothing is open."""


def _wait() -> None:
    """The others are at work."""


def _digits(value: float) -> str:
    """Nine significant digits, which give back any float32."""
    return f"{value:.9g}"
