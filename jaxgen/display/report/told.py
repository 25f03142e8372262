"""What a report is made of: all that the folder of a run tells, as plain values."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

State = Literal["running", "finished", "interrupted", "diverged"]
Series = tuple[np.ndarray, np.ndarray]
"""Steps int (S,) and values float (S,)."""


class FigureWords(NamedTuple):
    """How a figure is spoken of."""

    title: str
    better: str
    """"lower", "higher", or other words that `is better` can follow; "" where none is better."""
    form: str = "{:.4g}"
    scale: float = 1

    def written(self, value: float | None) -> str:
        """A value as the report has it."""
        return "" if value is None else self.form.format(value * self.scale)

    def with_spread(self, mean: float, spread: float | None) -> str:
        """A mean with its standard deviation, if it has one."""
        if spread is None:
            return self.written(mean)
        short = f"{spread * self.scale:.2g}" if self.form == "{:.4g}" else self.written(spread)
        return f"{self.written(mean)} ± {short}"


@dataclass(frozen=True)
class ToldCaption:
    """A caption that was shown while training."""

    image: int
    seed: int
    words: tuple[str, ...]
    joined_by: str
    true: str
    picture: bytes
    """PNG; b"" where there was none."""
    weights: tuple[tuple[int, ...], ...] = ()
    """Where each word looked, rows * columns numbers from 0 to 255; () where that is unknown."""
    most: tuple[float, ...] = ()
    """The attention that 255 stands for, of each word."""
    rows: int = 0
    columns: int = 0

    @property
    def sentence(self) -> str:
        """The words as one text."""
        return self.joined_by.join(self.words)


@dataclass(frozen=True)
class Told:
    """All that a run's folder tells."""

    name: str
    state: State
    step: int
    steps: int
    seeds: tuple[int, ...]
    """One for each replica."""
    config: dict[str, Any] = field(default_factory=dict)
    """Dotted name -> JSON value."""
    default: dict[str, Any] = field(default_factory=dict)
    """The same of the experiment itself."""
    free: frozenset[str] = frozenset()
    """Dotted names of what does not change what is learnt."""
    figures: dict[str, list[float | None]] = field(default_factory=dict)
    """The newest of each figure and metric, for each seed."""
    taken: dict[str, int] = field(default_factory=dict)
    """The steps after which figures of training were taken last."""
    beside: dict[str, dict[str, float]] = field(default_factory=dict)
    """What a figure is held against: {"fid": {"floor": 0.1}}."""
    words: dict[str, FigureWords] = field(default_factory=dict)
    """Of the figures that are known, the most important first."""
    curves: dict[str, list[Series]] = field(default_factory=dict)
    """Of each metric, those of the seeds that have it."""
    alarms: list[tuple[int, str]] | None = None
    """None where the run was written by a version that did not keep them."""
    end: str = ""
    """Why it diverged."""
    facts: list[tuple[str, str]] = field(default_factory=list)
    """What was run."""
    frames: list[tuple[int, Path]] = field(default_factory=list)
    """Pictures of samples by their step."""
    captions: list[tuple[int, list[ToldCaption]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is missing or damaged."""
    evaluated: bool = False
    """Whether `jaxgen evaluate` has measured it."""
    version: str = ""
    commit: str = ""
    time: str = ""

    def about(self, name: str) -> FigureWords:
        """How to speak of a figure, also of one that is not known."""
        if name in self.words:
            return self.words[name]
        return FigureWords(name.replace("_", " "), "lower" if name == "validation_loss" else "")
