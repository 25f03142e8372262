"""What an experiment is to the loop: its numbers, and a handful of pure functions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

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
