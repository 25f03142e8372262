"""How far work has got: a live display in a terminal and a notebook, plain lines in a log file.

What is shown, the `Line`s, knows nothing of where it is shown (`live`).
"""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from jaxgen.display import live

_WEIGHT = 0.9  # of what was before, in the speed that tells the time left
_SECONDS_IN_LOG = 10.0
_AT_MOST_EVERY = 0.1  # seconds; a display that changes more often is not read


class Line:
    """One piece of work: how far it is, how fast, and how long it will take yet."""

    def __init__(self, what: str, total: int, unit: str, done: int = 0) -> None:
        """Takes its name ("" for none), and how much is done of how many `unit`s."""
        self.what, self.total, self.unit, self.done = what, total, unit, done
        self.words: list[str] = []
        """The newest of what it has to tell, "d_loss 1.25" for one."""
        self.examples = 0
        """In each unit, where that is of interest."""
        self.speed = 0.0
        """Units a second since it was last told how much is done."""
        self._clock = self._began = time.monotonic()
        self._weighted = [0.0, 0.0]  # units and seconds, older ones for less
        self._told = 0

    def advance(self, done: int) -> None:
        """So much is done now."""
        now = time.monotonic()
        count, seconds = done - self.done, max(now - self._clock, 1e-9)
        # What came first took longer than the rest will: programs were compiled.
        old_count, old_seconds = self._weighted if self._told > 1 else (0.0, 0.0)
        self._told += 1
        self._weighted = [_WEIGHT * old_count + count, _WEIGHT * old_seconds + seconds]
        self.speed, self.done, self._clock = count / seconds, done, now

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def numbers(self, smoothed: bool = False) -> list[str]:
        """Speed and time left in words, as far as they are known.

        Args:
            smoothed: tell the speed that the time left is reckoned by, not the newest.
        """
        count, seconds = self._weighted
        if not count:
            return []
        speed = count / seconds if smoothed else self.speed
        told = [_per_second(speed, self.unit)]
        if self.examples:
            told.append(_per_second(speed * self.examples, "example"))
        rest = (self.total - self.done) * seconds / count
        if self.done < self.total:
            since = time.monotonic() - self._clock
            told.append(f"{timedelta(seconds=round(max(0.0, rest - since)))} left")
        return told


def _per_second(speed: float, unit: str) -> str:
    if speed >= 0.1:
        return f"{speed:,.1f} {unit}s/s" if speed < 1000 else f"{speed:,.0f} {unit}s/s"
    return f"{1 / max(speed, 1e-9):,.0f} s/{unit}"


class Bar:
    """Work that is counted, with the context it is done in: `with bar(...) as done`."""

    def __init__(self, line: Line, delay: float) -> None:
        """Takes what it tells, and how many seconds it says nothing."""
        self._line, self._delay, self._told = line, delay, 0.0
        self._pending, self._display = 0, live.display()

    def update(self, count: int = 1, words: str = "") -> None:
        """So many more are done; `words` take the place of those before."""
        if words:
            self._line.words = [words]
        self._pending += count
        every = _AT_MOST_EVERY if self._display.is_live else _SECONDS_IN_LOG
        if self._line.seconds >= max(self._delay, self._told + every):
            self._tell()

    def _tell(self) -> None:
        self._line.advance(self._line.done + self._pending)
        self._pending, self._told = 0, self._line.seconds
        self._display.show(self._line)

    def __enter__(self) -> Self:
        if not self._delay and self._display.is_live:
            self._display.show(self._line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self._pending and self._line.seconds >= self._delay:
            self._tell()
        self._display.leave(self._line)


def bar(total: int, desc: str, unit: str, delay: float = 0.0) -> Bar:
    """A bar of work that is counted.

    Args:
        total: how many there are.
        desc: what is done.
        unit: one of them.
        delay: seconds that it takes at the least to be shown at all.
    """
    return Bar(Line(desc, total, unit), delay)


def _nothing_more() -> list[str]:
    return []


class Progress:
    """Steps, metrics, speed, time left and memory of a training, on standard error."""

    def __init__(
        self,
        total: int,
        start: int = 0,
        examples: int = 0,
        memory: Callable[[], list[str]] = _nothing_more,
    ) -> None:
        """Takes the steps in all and those done, the examples a step, and what tells of memory."""
        self._line, self._memory = Line("", total, "step", start), memory
        self._line.examples = examples
        self._display = live.display()
        if self._display.is_live:
            self._display.show(self._line)

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show that `step` steps are done; `metrics` are the newest."""
        line, told = self._line, [f"{name} {value:.4g}" for name, value in metrics.items()]
        line.advance(step)
        if self._display.is_live:
            line.words = self._memory() + told
            self._display.show(line)
        else:
            parts = [f"step {step}/{line.total}", " ".join(told), *line.numbers(), *self._memory()]
            self.say("  ".join(parts))

    def say(self, sentence: str) -> None:
        """Print a line without tearing what is shown."""
        self._display.say(sentence)

    def close(self) -> None:
        """Leave what is shown as it stands."""
        self._display.leave(self._line)
