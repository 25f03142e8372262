"""What XLA compiles, kept in the cache folder so that a second start does not wait.

JAX writes a program in place, and never writes it again: half of one, which a killed process or a
full disk leaves, would be read, refused and compiled anew on each start, with a warning each time.
"""

import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

from jaxgen.data import cache

_UNREADABLE = "Error reading persistent compilation cache entry"
_UNWRITABLE = "Error writing persistent compilation cache entry"
_CHECKED = ".checked"  # its time says up to when programs have been checked
_BLOCK = 2**20


def keep() -> None:
    """From now on JAX reads and writes compiled programs; those that cannot be read are deleted.

    In a job of several processes on CPUs none are kept: XLA 0.10 orders the sums over processes of
    a program that it has compiled, but not of one that it has read, so that a process which has
    read it adds one array where another, which has compiled it, adds the next.
    """
    import jax

    if jax.process_count() > 1 and jax.default_backend() == "cpu":
        jax.config.update("jax_enable_compilation_cache", False)
        return
    place = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if not place:
        place = str(cache.folder() / "compiled")
        jax.config.update("jax_compilation_cache_dir", place)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    if "://" in place:  # a bucket, which is somebody else's to keep
        return
    sweep(Path(place))
    if not isinstance(warnings.showwarning, _InOurWords):
        warnings.showwarning = _InOurWords(Path(place), warnings.showwarning)


def sweep(place: Path, *, everything: bool = False) -> int:
    """Delete programs that cannot be read, of those written since the last call.

    Args:
        place: the folder.
        everything: look at all of them.

    Returns:
        How many were deleted.
    """
    checked, count = place / _CHECKED, 0
    try:
        since = 0.0 if everything or not checked.exists() else checked.stat().st_mtime - 1
        if place.is_dir():
            checked.touch()
        for path in place.glob("*-cache"):
            if path.stat().st_mtime >= since and not _is_whole(path):
                path.unlink()
                count += 1
    except OSError:  # gone meanwhile, or in a folder that cannot be written
        pass
    return count


def _is_whole(path: Path) -> bool:
    if not path.is_file():  # to open a pipe would wait for its writer
        return False
    with path.open("rb") as file:
        head = file.read(4)
        if head == b"\x28\xb5\x2f\xfd":  # zstd, where that is installed
            return True
        file.seek(0)
        stream = zlib.decompressobj()
        try:
            while block := file.read(_BLOCK):
                while block:
                    stream.decompress(block, _BLOCK)
                    block = stream.unconsumed_tail
        except zlib.error:
            return False
        return stream.eof


class _InOurWords:
    """Shows JAX's warnings about the cache in a line, and others as before."""

    def __init__(self, place: Path, others: Any) -> None:
        self._place, self._others, self._told = place, others, False

    def __call__(self, message: Warning | str, *rest: Any, **named: Any) -> None:
        text = str(message)
        if text.startswith(_UNREADABLE):
            count = sweep(self._place, everything=True)
            print(
                f"warning: {count} damaged compiled programs in {self._place} deleted; they are "
                "compiled anew",
                file=sys.stderr,
            )
        elif text.startswith(_UNWRITABLE):
            sweep(self._place)
            if not self._told:
                reason = text.rpartition("Error: ")[2]
                print(
                    f"warning: compiled programs cannot be kept in {self._place} ({reason})",
                    file=sys.stderr,
                )
            self._told = True
        else:
            self._others(message, *rest, **named)
