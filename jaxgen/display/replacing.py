"""Files that are whole or not there: written beside their place, then moved into it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"
"""What the names of files begin with while they are written."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, moved to `path` at the end; if writing fails, `path` stays as it was.

    The new file is on the disk before it takes the place of the old one, so that a loss of power
    leaves one of the two.
    """
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
