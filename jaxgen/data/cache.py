"""The user's cache folder, and the parsed data sets in it, which load in milliseconds."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from jaxgen.data import ordinary_files
from jaxgen.display.replacing import replacing

FORMAT = b"1"  # part of every fingerprint: raise it when the parsed form changes


def folder() -> Path:
    """The cache folder: `$JAXGEN_CACHE_DIR`, or the platform's cache folder of the user."""
    chosen = os.environ.get("JAXGEN_CACHE_DIR")
    return Path(chosen or platformdirs.user_cache_dir("jaxgen", appauthor=False)).expanduser()


def parsed(
    name: str, sources: Sequence[Path], parse: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """The result of `parse()`, from the cache where the source files are unchanged.

    A missing, stale or damaged cache file is rebuilt; where the folder cannot be written, the
    data set is parsed again on each call.

    Args:
        name: of the cache file, without suffix.
        sources: files that `parse` reads; their contents decide whether the cache file is stale.
        parse: returns named arrays, none of them called `fingerprint`.

    Returns:
        The named arrays.

    Raises:
        OSError: a source file cannot be read.
    """
    return kept(name, _fingerprint(sources), parse)


def kept(
    name: str, fingerprint: str, parse: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """The same as `parsed`, for sources that are too many to read on every start.

    Args:
        name: of the cache file, without suffix.
        fingerprint: another one makes the cache file stale; a hash that begins with `FORMAT`.
        parse: returns named arrays, none of them called `fingerprint`.

    Returns:
        The named arrays.
    """
    path = folder() / f"{name}.npz"
    arrays = _read(path, fingerprint)
    if arrays is None:
        arrays = dict(parse())
        _write(path, {**arrays, "fingerprint": np.array(fingerprint)})
    return arrays


def _fingerprint(sources: Sequence[Path]) -> str:
    digest = hashlib.sha256(FORMAT)
    for source in sources:
        with source.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _read(path: Path, fingerprint: str) -> dict[str, np.ndarray] | None:
    try:
        ordinary_files.check(path, "")  # to open a pipe would wait for its writer
        # Zip files carry a CRC-32 of every array, so that a flipped byte is an error here.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = dict(content)
    except Exception:  # damage raises nearly anything, and a rebuild repairs any of it
        return None
    return arrays if arrays.pop("fingerprint", None) == fingerprint else None


def _write(path: Path, arrays: Mapping[str, Any]) -> None:
    # A full disk or a read-only home costs a second per start, not the run.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two runs that start together see no half-written file.
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
