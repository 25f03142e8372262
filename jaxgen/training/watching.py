"""What the loop tells while it trains: to a watcher, and to alarms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.training.task import Shown, Task

PyTree = Any


class Watcher:
    """What the loop reports to; `recorder.Recorder` writes it to a run's folder."""

    def start(self) -> None:
        """All is compiled, and the first step is next."""

    def metrics(self, first_step: int, history: dict[str, np.ndarray]) -> None:
        """Metrics of the steps `first_step`, `first_step + 1`, ...; figures may follow."""

    def checkpoint(self, step: int, state: PyTree) -> None:
        """The state after `step` steps, to be saved."""

    def show(self, step: int, shown: Shown) -> None:
        """A picture of the state after `step` steps."""

    def figures(self, step: int, figures: dict[str, float]) -> None:
        """What was measured after `step` steps, perhaps nothing; `step` is done with."""

    def alarm(self, step: int, sentence: str) -> None:
        """Something looks wrong."""

    def diverged(self, sentence: str) -> None:
        """Training ends here, and nothing more is saved."""


class Alarms:
    """What a task's alarms read: metrics since the last log line, the figures of every stop."""

    def __init__(self, task: Task) -> None:
        self._task, self._active = task, set[str]()
        self.metrics: list[dict[str, np.ndarray]] = []
        self.figures: list[dict[str, float]] = []

    def new(self) -> list[str]:
        """Sentences that were not true at the last log line; a new log line begins."""
        found = set(self._task.alarms(_join(self.metrics) | _join(self.figures)))
        new = sorted(found - self._active)
        self._active, self.metrics = found, []
        return new


def _join(history: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    names = dict.fromkeys(name for part in history for name in part)
    return {
        name: np.concatenate([np.atleast_1d(part[name]) for part in history if name in part])
        for name in names
    }
