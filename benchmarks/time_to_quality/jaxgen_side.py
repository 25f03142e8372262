"""jaxgen's side of an attempt: its own loop, as `jaxgen train` runs it, without files."""

from dataclasses import dataclass, field
from typing import Any

import jax

from benchmarks.time_to_quality.attempt import Attempt, Stop
from jaxgen.data import compiled_programs
from jaxgen.training.loop import Loop
from jaxgen.training.task import Task, TrainConfig
from jaxgen.training.watching import Watcher


class _Over(Exception):
    """The attempt ends here."""


def train(config: TrainConfig, attempt: Attempt, stop: Stop = "") -> None:
    """Train until the attempt is over, or to the last step.

    Args:
        config: what to train, and when to evaluate it.
        attempt: is told.
        stop: end as soon as the data are loaded, or as all is compiled.
    """
    compiled_programs.keep()
    task = config.task()
    if stop == "loaded":
        return
    judge = _Judge(task, config, attempt)
    bare = Task(task.source, task.init, task.step, lambda state: None, evaluate=judge.evaluate)
    try:
        outcome = Loop(bare, config).run(watcher=_Beginning(attempt, stop))
    except _Over:
        return
    if outcome.interrupted:
        raise SystemExit(128 + outcome.interrupted)


@dataclass
class _Judge:
    """The task's own evaluation, told to the attempt."""

    task: Task
    config: TrainConfig
    attempt: Attempt
    evaluations: int = field(default=0, init=False)

    def evaluate(self, state: Any) -> dict[str, float]:
        jax.block_until_ready(state)
        self.evaluations += 1
        step = min(self.config.steps, self.evaluations * self.config.evaluate_every)
        if self.attempt.is_over(step, lambda: self.task.evaluate(state)):
            raise _Over
        return {}


class _Beginning(Watcher):
    """Tells when the first step is next."""

    def __init__(self, attempt: Attempt, stop: Stop) -> None:
        self._attempt, self._stop = attempt, stop

    def start(self) -> None:
        self._attempt.begins()
        if self._stop == "compiled":
            raise _Over
