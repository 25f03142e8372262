"""One process trains in a run's folder at a time.

The lock is the system's (`flock`) on the file `.lock` in the folder, so that it is gone when the
process that holds it is, however it died. On a folder that several hosts share it works where the
file system passes such locks on (NFS 4 does); where a file system has none, training goes on
without it and says so.
"""

import errno
import json
import os
import platform
import sys
import time
from pathlib import Path
from types import TracebackType

from jaxgen.errors import JaxgenError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME = ".lock"


class RunLock:
    """The lock on a run's folder, taken by `acquire` and given up when the context ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: int | None = None

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def acquire(self) -> None:
        """Take the lock, unless this process has it.

        Raises:
            JaxgenError: another process has it.
            OSError: the folder cannot be written.
        """
        if self._file is not None or fcntl is None:
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _taken(file)
        except OSError as error:
            owner = _owner(file)
            os.close(file)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise JaxgenError(
                    f"another process trains in {self._path.parent} ({owner}); wait for it, or "
                    "stop it"
                ) from error
            print(f"warning: {self._path} cannot be locked ({error.strerror})", file=sys.stderr)
            return
        owner = {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%FT%T%z")}
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(owner).encode(), 0)
        self._file = file


def is_held(folder: Path) -> bool:
    """Whether a process trains in a folder; False where that cannot be found out."""
    if fcntl is None:
        return False
    try:
        file = os.open(folder / NAME, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(file)
    return False


def _taken(file: int) -> None:
    """Take the lock on an open file, also while somebody looks whether it is held.

    Raises:
        OSError: another process has it, or there are no locks.
    """
    assert fcntl is not None
    for pause in (0.0, 0.02, 0.1):
        time.sleep(pause)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            refused = error
    raise refused


def _owner(file: int) -> str:
    """Who holds the lock, in words."""
    try:
        owner = json.loads(os.pread(file, 1000, 0))
        return f"process {owner['pid']} on {owner['host']}, since {owner['since']}"
    except (ValueError, KeyError, TypeError):
        return "it does not say which"
