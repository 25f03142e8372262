"""The only training loop. It knows a task's pure functions, and no model, loss or data set.

The devices wait for nothing but Python's few calls between two dispatches: what the next one needs
is prepared while they are at work, and so is what the last one told.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.training import seeds
from jaxgen.training.divergence import check_metrics, check_parameters
from jaxgen.training.processes import agreed_signal
from jaxgen.training.program import Program
from jaxgen.training.replicas import looking_at_each
from jaxgen.training.signals import signals_noted
from jaxgen.training.task import TrainConfig
from jaxgen.training.watching import Alarms, Watcher

PyTree = Any


class Outcome(NamedTuple):
    """How training ended."""

    state: PyTree
    step: int
    seconds: float
    """Wall time of the loop, pictures and checkpoints included."""
    interrupted: int
    """The signal that ended it early, 0 for none."""


class Loop(Program):
    """The training of a task on all devices, from any step to the last."""

    def run(
        self,
        state: PyTree | None = None,
        start: int = 0,
        watcher: Watcher | None = None,
        *,
        unseen: Mapping[str, float] | None = None,
    ) -> Outcome:
        """Train from step `start` to `config.steps`.

        Nothing that is drawn or measured can lose training: a checkpoint that is due comes first,
        and a run that died in between looks at that state again.

        Args:
            state: the state after `start` steps; the initial one if None.
            start: steps done before.
            watcher: gets metrics, checkpoints, pictures, figures and alarms.
            unseen: metrics of step `start`, if its pictures and figures are still to come.

        Returns:
            The last state and how it came to be; a signal (Ctrl-C, SIGTERM) ends the loop after
            the dispatch under way, with a checkpoint.

        Raises:
            Diverged: a metric or a parameter is not finite. Nothing is saved after that step.
        """
        task, config = self.task, self.config
        places, has_several = range(len(self.seeds)), len(self.seeds) > 1
        if has_several:
            task = looking_at_each(task, self.seeds, self.replica)
        # XLA compiles outside of Python's lock, so that the two do not wait for each other.
        with ThreadPoolExecutor(1) as pool:
            compiling = pool.submit(lambda: self._program)
            state = self.initial_state() if state is None else self.placed(state)
        compiling.result()
        watcher = watcher or Watcher()
        watcher.start()
        began, step, saved, stopped = time.perf_counter(), start, start, 0
        alarms, pending = Alarms(task), _nothing

        def tell(step: int, figures: dict[str, float]) -> None:
            watcher.figures(step, figures)
            alarms.figures.append(figures)
            if step == config.steps or _due(step, config.log_every):
                for sentence in alarms.new():
                    watcher.alarm(step, sentence)

        def settle(first: int, step: int, history: PyTree) -> None:
            part = {name: np.asarray(row)[..., : step - first] for name, row in history.items()}
            if has_several:
                rows = [{name: row[i] for name, row in part.items()} for i in places]
                part = seeds.by_seed(self.seeds, rows)
            check_metrics(part, first)
            if has_several:
                part = seeds.with_spread(part)
            watcher.metrics(first + 1, part)
            alarms.metrics.append(part)

        def settle_later(
            first: int, step: int, history: PyTree, quick: Callable[[], dict[str, float]]
        ) -> None:
            settle(first, step, history)
            tell(step, quick())

        def save() -> None:
            check_parameters(state, step, self.seeds)
            watcher.checkpoint(step, state)

        def quick_figures() -> Callable[[], dict[str, float]]:
            is_due = step == config.steps or _due(step, config.log_every)
            return task.watch(state) if is_due else dict

        def look() -> None:
            figures = quick_figures()()
            shown = task.show(state) if _is_shown(step, config) else None
            if _is_evaluated(step, config):
                figures = figures | task.evaluate(state)
            if shown:
                watcher.show(step, shown)
            tell(step, figures)

        with ThreadPoolExecutor(1) as pool, signals_noted() as noted:
            if unseen is not None:
                alarms.metrics.append({name: np.asarray([x]) for name, x in unseen.items()})
                look()
            if config.sample_at_start and not start:
                watcher.show(0, task.show(state))

            def prepared() -> Future[PyTree]:
                return pool.submit(self.chunk, step, self._next_stop(step) - step, self.capacity)

            ahead = prepared() if step < config.steps else Future[PyTree]()
            while step < config.steps and not (stopped := agreed_signal(noted)):
                first, step = step, self._next_stop(step)
                state, history = self.dispatch(state, first, step - first, ahead.result())
                if step < config.steps:
                    ahead = prepared()
                # The host's work on what came before, while the devices are at this.
                pending()
                pending = _nothing
                jax.block_until_ready(history)
                stopped = agreed_signal(noted)
                is_saved = _due(step, config.checkpoint_every) or step == config.steps or stopped
                if is_saved or _is_shown(step, config) or _is_evaluated(step, config):
                    settle(first, step, history)
                    if is_saved:
                        save()
                        saved = step
                    look()
                else:
                    pending = partial(settle_later, first, step, history, quick_figures())
            pending()
            if step != saved:  # a signal came while pictures were drawn
                save()
        return Outcome(state, step, time.perf_counter() - began, stopped)

    def _next_stop(self, step: int) -> int:
        """The first step after `step` at which something is due; within what one dispatch takes."""
        config = self.config
        periods = (
            config.log_every,
            config.sample_every,
            config.evaluate_every,
            config.checkpoint_every,
        )
        due = [(step // period + 1) * period for period in periods if period]
        return min(config.steps, step + self.capacity, *due)


def _is_shown(step: int, config: TrainConfig) -> bool:
    return step == config.steps or _due(step, config.sample_every)


def _is_evaluated(step: int, config: TrainConfig) -> bool:
    return _due(step, config.evaluate_every) or (step == config.steps and config.evaluate_every > 0)


def _due(step: int, period: int) -> bool:
    return period > 0 and step % period == 0


def _nothing() -> None:
    """Nothing is left to be done."""
