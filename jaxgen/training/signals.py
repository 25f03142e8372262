"""Signals that ask training to end: noted, so that the step under way can be saved."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

SAID = "stopping after the steps under way, to save them; Ctrl-C again ends at once"
"""On Ctrl-C, since the steps may take a minute."""


@contextmanager
def signals_noted(said: str = SAID) -> Iterator[list[int]]:
    """Note SIGINT and SIGTERM instead of dying; a second one acts as it always did.

    Args:
        said: on Ctrl-C; "" for nothing.
    """
    noted: list[int] = []
    previous: dict[int, Any] = {}

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        for other, handler in previous.items():
            signal.signal(other, handler)
        if (
            said and number == signal.SIGINT
        ):  # somebody waits; a scheduler, which sends SIGTERM, does not
            with suppress(OSError, RuntimeError, ValueError):  # it may be printing now
                print(f"\n{said}", file=sys.stderr, flush=True)

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
