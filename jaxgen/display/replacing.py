"""Files that are whole or not there: written beside their place, then moved into it."""

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".partial-"
"""What the names of files begin with while they are written."""
_DAY = 24 * 60 * 60
_under_way: set[Path] = set()


def abandon() -> None:
    """Remove what is being written, before the process ends without ado."""
    for path in list(_under_way):
        with suppress(OSError):
            path.unlink()


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk, where a loss of power spares it.

    Raises:
        OSError: the disk refuses.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():  # one that may be written and not read; on Windows every folder
            return
        raise
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sweep(folder: Path, pattern: str) -> None:
    """Remove what killed processes left a day ago or earlier; younger ones may be in use."""
    for path in folder.glob(pattern):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _DAY:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, moved to `path` at the end; if writing fails, `path` stays as it was.

    The new file is on the disk before it takes the place of the old one, so that a loss of power
    leaves one of the two.
    """
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    sweep(path.parent, f"{PARTIAL}*-{glob.escape(path.name)}")
    _under_way.add(temporary)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        _under_way.discard(temporary)
