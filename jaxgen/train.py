"""The only training loop. It knows a task's pure functions, and no model, loss or data set.

Many steps run per dispatch, in one compiled loop whose length is an argument: any division of the
steps into dispatches runs the same program, so a run that was stopped and resumed goes through the
same arithmetic as one that never stopped.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgen.data.batches import epoch_indices
from jaxgen.errors import JaxgenError

PyTree = Any


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What every experiment sets about its training."""

    workdir: str
    """The run's folder, made if absent; an existing run in it goes on where it stopped."""
    steps: int
    """Training steps in all."""
    batch_size: int = 128
    """Examples a step."""
    seed: int = 0
    """Seed of initialisation, batches and noise."""
    log_every: int = 50
    """Steps between log lines; also the most steps of one dispatch."""
    sample_every: int = 250
    """Steps between sample pictures; 0 for none before the end."""
    evaluate_every: int = 0
    """Steps between evaluations; 0 for none."""
    checkpoint_every: int = 250
    """Steps between checkpoints; 0 for one at the end only."""
    keep_checkpoints: int = 3
    """Newest checkpoints kept."""

    def validate(self) -> None:
        """Raise JaxgenError naming the flag whose number makes no sense."""
        for name in ("steps", "batch_size", "log_every", "keep_checkpoints"):
            _check_least(name, getattr(self, name), 1)
        for name in ("seed", "sample_every", "evaluate_every", "checkpoint_every"):
            _check_least(name, getattr(self, name), 0)

    def task(self) -> "Task":
        """The task to train, its data loaded."""
        raise NotImplementedError(f"{type(self).__name__} must define task()")


def _check_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise JaxgenError(f"--{name.replace('_', '-')} must be at least {least}, got {value}")


class Shown(NamedTuple):
    """What to look at: a picture uint8 (H, W) or (H, W, 3), words, and figures measured on it."""

    picture: np.ndarray
    text: str = ""
    metrics: dict[str, float] = {}  # noqa: RUF012 - a default that is never written to


def _gather(arrays: dict[str, jax.Array], indices_B: jax.Array) -> dict[str, jax.Array]:
    return {name: array[indices_B] for name, array in arrays.items()}


@dataclass(frozen=True)
class Source:
    """Where batches come from: `arrays` stay on the device, `chunk` is sent for each dispatch.

    By default a dispatch gets the examples' indices and each step gathers its batch from the
    arrays, inside the program. Data that do not fit on the device override `chunk` to gather on
    the host, and `batch` to pass on what it gathered.
    """

    size: int
    """Examples in an epoch."""
    arrays: PyTree
    """Arrays kept on the device."""
    chunk: Callable[[np.ndarray], PyTree] = lambda indices_KB: indices_KB
    """Indices (steps, batch) to host arrays of the same leading axes."""
    batch: Callable[[PyTree, PyTree], PyTree] = _gather
    """One step's slice of the chunk to a batch; pure, compiled."""

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> "Source":
        """A source over a dict of arrays with one leading axis."""
        return cls(size=len(next(iter(arrays.values()))), arrays=arrays)


def _no_figures(state: PyTree) -> dict[str, float]:
    return {}


def _no_alarms(history: dict[str, np.ndarray]) -> list[str]:
    return []


@dataclass(frozen=True)
class Task:
    """All that the loop sees of what is trained. State is one pytree."""

    source: Source
    init: Callable[[jax.Array, PyTree], PyTree]
    """(key, batch) -> state"""
    step: Callable[[PyTree, PyTree, jax.Array], tuple[PyTree, dict[str, jax.Array]]]
    """(state, batch, key) -> (state, scalar metrics)"""
    show: Callable[[PyTree], Shown]
    """state -> a picture of what it makes"""
    evaluate: Callable[[PyTree], dict[str, float]] = _no_figures
    """state -> figures that take longer to measure"""
    alarms: Callable[[dict[str, np.ndarray]], list[str]] = _no_alarms
    """metrics since the last log line, a row a step -> sentences about what looks wrong"""
    about: dict[str, Any] = field(default_factory=dict)
    """what the data say of the model, as JSON values: with the config, enough to rebuild it"""


class Diverged(JaxgenError):
    """A loss or a parameter is not finite."""

    exit_code = 1


class Watcher:
    """What the loop reports to; `runs.Recorder` writes it to a run's folder."""

    def metrics(
        self, first_step: int, history: dict[str, np.ndarray], figures: dict[str, float]
    ) -> None:
        """Metrics of the steps `first_step`, `first_step + 1`, ...; figures after the last one."""

    def show(self, step: int, shown: Shown) -> None:
        """A picture of the state after `step` steps."""

    def alarm(self, step: int, sentence: str) -> None:
        """Something looks wrong."""

    def checkpoint(self, step: int, state: PyTree) -> None:
        """The state after `step` steps, to be saved."""


class Outcome(NamedTuple):
    """How training ended."""

    state: PyTree
    step: int
    seconds: float
    """Wall time of the loop, pictures and checkpoints included."""
    interrupted: int
    """The signal that ended it early, 0 for none."""


def make_mesh() -> jax.sharding.Mesh:
    """All devices along one axis, 'data'; one CPU is the smallest case of it."""
    # Explicit axes, the default since JAX 0.10, break gathers such as nn.Embed.
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def compile_steps(task: Task, mesh: jax.sharding.Mesh, capacity: int) -> Callable:
    """The compiled loop over at most `capacity` steps.

    Returns:
        `run(state, arrays, chunk, first_step, count, key) -> (state, history)`: `state` is donated,
        `chunk` has leading axes (capacity, batch), and `history` holds each metric as float32
        (capacity,), of which the first `count` are filled.
    """
    replicated = NamedSharding(mesh, PartitionSpec())
    split_batch = NamedSharding(mesh, PartitionSpec(None, "data"))

    def one_step(i, state, arrays, chunk, first_step, key):
        batch = task.source.batch(arrays, jax.tree.map(lambda leaf: leaf[i], chunk))
        return task.step(state, batch, jax.random.fold_in(key, first_step + i))

    @partial(
        jax.jit,
        donate_argnums=0,
        in_shardings=(replicated, replicated, split_batch, None, None, None),
        out_shardings=replicated,
    )
    def run(state, arrays, chunk, first_step, count, key):
        _, metrics = jax.eval_shape(one_step, 0, state, arrays, chunk, first_step, key)
        history = {name: jnp.zeros(capacity, jnp.float32) for name in metrics}

        def body(i, carry):
            state, history = carry
            state, metrics = one_step(i, state, arrays, chunk, first_step, key)
            return state, {name: history[name].at[i].set(metrics[name]) for name in history}

        return jax.lax.fori_loop(0, count, body, (state, history))

    return run


def init_state(task: Task, config: TrainConfig) -> PyTree:
    """The state before the first step."""
    chunk = task.source.chunk(epoch_indices(task.source.size, config.batch_size, config.seed, 0, 1))

    @jax.jit
    def init(key, arrays, chunk):
        return task.init(key, task.source.batch(arrays, jax.tree.map(lambda leaf: leaf[0], chunk)))

    # Steps fold 0, 1, 2, ... into the run's key; initialisation takes the last number.
    key = jax.random.fold_in(jax.random.key(config.seed), np.uint32(2**32 - 1))
    return init(key, task.source.arrays, chunk)


def fit(
    task: Task, config: TrainConfig, state: PyTree, start: int = 0, watcher: Watcher | None = None
) -> Outcome:
    """Train `state` from step `start` to `config.steps`.

    Args:
        task: what to train.
        config: numbers of the loop.
        state: the state after `start` steps.
        start: steps done before.
        watcher: gets metrics, pictures, figures, alarms and checkpoints.

    Returns:
        The last state and how it came to be; a signal (Ctrl-C, SIGTERM) ends the loop after the
        dispatch under way, with a checkpoint.

    Raises:
        Diverged: a metric is not finite. Nothing is saved after that step.
        JaxgenError: the batch does not divide among the devices or exceeds the data set.
    """
    mesh = make_mesh()
    if config.batch_size % mesh.size:
        raise JaxgenError(
            f"--batch-size {config.batch_size} does not divide among {mesh.size} devices"
        )
    capacity = min(config.log_every, config.steps)
    run = compile_steps(task, mesh, capacity)
    replicated = NamedSharding(mesh, PartitionSpec())
    split_batch = NamedSharding(mesh, PartitionSpec(None, "data"))
    state, arrays, key = jax.device_put(
        (state, task.source.arrays, jax.random.key(config.seed)), replicated
    )
    watcher = watcher or Watcher()
    active_alarms: set[str] = set()
    began, step = time.perf_counter(), start
    logged = saved = start
    history: list[dict[str, np.ndarray]] = []

    with _signals_noted() as noted:
        while step < config.steps and not noted:
            stop = _next_stop(step, config)
            # Indices are padded to the capacity, since another shape would be another program.
            indices = epoch_indices(
                task.source.size, config.batch_size, config.seed, step, step + capacity
            )
            chunk = jax.device_put(task.source.chunk(indices), split_batch)
            state, device_history = run(state, arrays, chunk, step, stop - step, key)
            part = {name: np.asarray(row)[: stop - step] for name, row in device_history.items()}
            _check_finite(part, step)
            first, step = step + 1, stop
            last = step == config.steps
            shown = task.show(state) if last or _due(step, config.sample_every) else None
            figures = dict(shown.metrics) if shown else {}
            if _due(step, config.evaluate_every) or (last and config.evaluate_every):
                figures |= task.evaluate(state)
            history += [part, {name: np.asarray([value]) for name, value in figures.items()}]
            watcher.metrics(first, part, figures)
            if shown:
                watcher.show(step, shown)
            if last or _due(step, config.checkpoint_every):
                watcher.checkpoint(step, state)
                saved = step
            if step - logged >= config.log_every or last:
                sentences = set(task.alarms(_join(history)))
                for sentence in sorted(sentences - active_alarms):
                    watcher.alarm(step, sentence)
                active_alarms, history, logged = sentences, [], step
        if step != saved:
            watcher.checkpoint(step, state)
    return Outcome(state, step, time.perf_counter() - began, noted[0] if noted else 0)


def _next_stop(step: int, config: TrainConfig) -> int:
    """The first step after `step` at which something is due; at most `log_every` later."""
    periods = (
        config.log_every,
        config.sample_every,
        config.evaluate_every,
        config.checkpoint_every,
    )
    return min(config.steps, *((step // period + 1) * period for period in periods if period))


def _due(step: int, period: int) -> bool:
    return period > 0 and step % period == 0


def _join(history: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    names = dict.fromkeys(name for part in history for name in part)
    return {
        name: np.concatenate([part[name] for part in history if name in part]) for name in names
    }


def _check_finite(history: dict[str, np.ndarray], first_step: int) -> None:
    for name, row in history.items():
        if not np.isfinite(row).all():
            index = int(np.argmin(np.isfinite(row)))
            raise Diverged(
                f"{name} is {row[index]} at step {first_step + index + 1}: training diverged; "
                "try a smaller --optimizer.learning-rate in a new --workdir"
            )


@contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """Note SIGINT and SIGTERM instead of dying; a second one acts as it always did."""
    noted: list[int] = []
    previous: dict[int, Any] = {}

    def note(number, frame):
        noted.append(number)
        for other, handler in previous.items():
            signal.signal(other, handler)

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, note)
    except ValueError:  # not the main thread, which alone may set handlers
        pass
    try:
        yield noted
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
