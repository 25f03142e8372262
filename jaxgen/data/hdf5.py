"""Reads HDF5 files with checks, so that errors name the file and the key.

A damaged file makes the library raise nearly anything, from nearly any call, so each call is made
where whatever it raises becomes one sentence. What a file announces is compared with what it holds
before memory is taken for it.
"""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxgen.data import ordinary_files
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, shortened

if TYPE_CHECKING:
    import h5py

MOST_VALUES = 2**26
"""Of an array that is read whole: nine times the tokens of COCO's captions."""
MOST_ROW_BYTES = 64 * 2**20
"""Of the features of an image, or of a picture."""
MOST_CHUNK_BYTES = 512 * 2**20
"""Of the parts in which an array is compressed; one is unpacked as a whole."""
_PACKED = 1100  # to one is more than deflate, which h5py compresses with, ever reaches
_TOLD = 200  # characters of what the library says


@contextlib.contextmanager
def open_file(path: Path) -> "Iterator[h5py.File]":
    """Opens a file to read.

    Raises:
        JaxgenError: it is missing or is not HDF5.
    """
    import h5py

    ordinary_files.check(path, f"put it there, or give another {flag('data.dir')}")
    with _told(f"{path} cannot be read as HDF5"):
        file = h5py.File(path)
    try:
        yield file
    finally:
        with contextlib.suppress(Exception):  # what was read is there; what raised is told
            file.close()


def dataset(file: "h5py.File", key: str, rank: int, kind: str) -> "h5py.Dataset":
    """An array of the file, still on disk.

    Args:
        file: an open file.
        key: of the array.
        rank: axes that it must have.
        kind: "f" if it must hold real numbers, "iu" for integers.

    Returns:
        The array; a row takes at most `MOST_ROW_BYTES`.

    Raises:
        JaxgenError: there is no such array, it is empty or of another rank or kind, or the file
            holds less than it announces.
    """
    import h5py

    where = f"{_name(file)} key {key}"
    with _told(f"{where} cannot be read"):
        found = file.get(key) if _is_inside(file, key) else None
        if not isinstance(found, h5py.Dataset):
            kept = shortened(", ".join(map(ascii, file)) or "nothing", _TOLD)
            raise JaxgenError(f"{_name(file)} has no array {key!r} but {kept}; replace it")
        shape, dtype = found.shape, found.dtype
        if len(shape or ()) != rank or not math.prod(shape):
            raise JaxgenError(f"{where} must have {rank} axes, none empty; its shape is {shape}")
        if dtype.kind not in kind:
            expected = "real numbers" if kind == "f" else "integers"
            raise JaxgenError(f"{where} must hold {expected}, not {shortened(str(dtype))}")
        if problem := _announced_in_vain(found):
            raise JaxgenError(f"{where} {problem}; replace it")
    return found


def rows(found: "h5py.Dataset", index: int | slice | np.ndarray) -> np.ndarray:
    """Rows of an array.

    Args:
        found: the array.
        index: a row, consecutive rows, or the numbers of rows in ascending order without repeats.

    Raises:
        JaxgenError: they are damaged.
    """
    called = "an array of HDF5"
    with contextlib.suppress(Exception):
        called = f"{_name(found.file)} key {str(found.name).strip('/')}"
    with _told(f"{called} cannot be read"):
        return found[index]


def read(file: "h5py.File", key: str, rank: int, kind: str) -> np.ndarray:
    """The whole of an array of at most `MOST_VALUES`; else as for `dataset` and `rows`."""
    found = dataset(file, key, rank, kind)
    if math.prod(found.shape) > MOST_VALUES:
        raise JaxgenError(
            f"{_name(file)} key {key} announces {math.prod(found.shape)} values, more than the "
            f"{MOST_VALUES} that are read; replace it"
        )
    return rows(found, slice(None))


def _name(file: "h5py.File") -> str:
    return str(file.filename)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Whatever the library raises, as the sentence `what`."""
    try:
        yield
    except JaxgenError:
        raise
    except Exception as error:
        reason = shortened(" ".join(str(error).split()), _TOLD)
        raise JaxgenError(f"{what} ({reason or type(error).__name__}); replace it") from error


def _is_inside(file: "h5py.File", key: str) -> bool:
    """Whether each part of a key is in the file itself: a link may lead to a pipe, or in a ring."""
    import h5py

    parts = key.strip("/").split("/")
    prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    return all(isinstance(file.get(part, getlink=True), h5py.HardLink) for part in prefixes)


def _announced_in_vain(found: "h5py.Dataset") -> str:
    """What is wrong with the size of an array; "" if nothing is."""
    if found.is_virtual or found.external:
        return "is kept in other files, and only what a file itself holds is read"
    shape, item, chunk = found.shape, found.dtype.itemsize, found.chunks
    announced, kept = math.prod(shape) * item, found.id.get_storage_size()
    if math.prod(shape[1:]) * item > MOST_ROW_BYTES:
        return f"announces rows of more than {MOST_ROW_BYTES} bytes: its shape is {shape}"
    if chunk and math.prod(chunk) * item > MOST_CHUNK_BYTES:
        return f"is in parts of {chunk}, more than {MOST_CHUNK_BYTES} bytes"
    is_packed = bool(found.id.get_create_plist().get_nfilters())
    if announced > kept * (_PACKED if is_packed else 1):
        return f"announces {announced} bytes, and the file holds {kept} of them"
    if chunk and found.id.get_num_chunks() < math.prod(
        math.ceil(side / part) for side, part in zip(shape, chunk, strict=True)
    ):
        return "was never written whole"
    return ""
