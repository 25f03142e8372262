"""The contract of what watches a run: `--watch NAME`, or `--watch FILE:CLASS` of a user's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

State = Literal["finished", "interrupted", "diverged", "failed"]
METHODS = ("start", "scalars", "picture", "alarm", "end")


@dataclass(frozen=True)
class WatchedRun:
    """What a watcher is told first of the run."""

    folder: Path
    id: str
    """Sixteen hexadecimal digits, kept in the folder: a run that goes on has the same."""
    start: int
    """Steps that were done before."""
    steps: int
    """Steps in all."""
    config: dict[str, Any]
    """The configuration, as JSON values."""
    session: dict[str, Any]
    """Command, hardware, versions, and the hash of the data, as JSON values."""
    is_watched_before: bool
    """Whether this watcher was told of the run before; then it goes on where it stopped."""

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.resolve().name


class RunWatcher:
    """Is told what a run has to show; each method does nothing until a class says what.

    All are called from one thread of their own, in the order of steps, so that training waits for
    none of them. One that raises is told nothing more, and training goes on. When a run goes on
    from a checkpoint, what was told before is not told again.
    """

    def start(self, run: WatchedRun) -> int | None:
        """Training begins, or goes on.

        Returns:
            The last step whose scalars the place holds, where it is known to have lost some that it
            was told of; None otherwise.
        """

    def scalars(self, step: int, figures: dict[str, float]) -> None:
        """Means of the metrics since the last log line, or figures of an evaluation, by name."""

    def picture(self, step: int, picture: np.ndarray, text: str) -> None:
        """What the model makes after `step` steps: uint8 (H, W) or (H, W, 3), and words or ""."""

    def alarm(self, step: int, sentence: str) -> None:
        """Something looks wrong."""

    def end(self, step: int, state: State, why: str) -> None:
        """Training ended after `step` steps; `why` is a sentence where it went wrong, or ""."""
