"""What a format is to the campaign of parsers: a sample, how it is read, and what is sound."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Unsound(Exception):
    """What was read is not what the reader promises; the message says how."""


def expect(holds: Any, what: str) -> None:
    if not holds:
        raise Unsound(what)


@dataclass(frozen=True)
class Format:
    """One format, with a file that is damaged."""

    name: str
    file: str
    """Of the sample, the one that is damaged."""
    make: Callable[[Path], Any]
    """Writes the sample into a folder."""
    read: Callable[[Path], Any]
    """Reads the folder as jaxgen does; raises Unsound."""
    kind: str = "bytes"
    """Which mutants it has besides those of bytes."""
    whole: bool = False
    """A checksum sees to it that what is read is what was written."""
