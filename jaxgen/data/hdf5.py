"""Reads HDF5 files with checks, so that errors name the file and the key."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag

if TYPE_CHECKING:
    import h5py


def open_file(path: Path) -> "h5py.File":
    """Opens a file to read.

    Raises:
        JaxgenError: it is missing or is not HDF5.
    """
    import h5py

    try:
        return h5py.File(path)
    except FileNotFoundError as error:
        raise JaxgenError(
            f"{path} is missing; put it there, or give another {flag('data.dir')}"
        ) from error
    except OSError as error:
        raise JaxgenError(f"{path} cannot be read as HDF5 ({error}); replace it") from error


def dataset(file: "h5py.File", key: str, rank: int, kind: str) -> "h5py.Dataset":
    """An array of the file, still on disk.

    Args:
        file: an open file.
        key: of the array.
        rank: axes that it must have.
        kind: "f" if it must hold real numbers, "iu" for integers.

    Returns:
        The array.

    Raises:
        JaxgenError: there is no such array, or it is empty or of another rank or kind.
    """
    import h5py

    found = file.get(key)
    if not isinstance(found, h5py.Dataset):
        raise JaxgenError(
            f"{file.filename} has no array {key!r} but {', '.join(file) or 'nothing'}; replace it"
        )
    where = f"{file.filename} key {key}"
    if found.ndim != rank or not found.size:
        raise JaxgenError(f"{where} must have {rank} axes, none empty; its shape is {found.shape}")
    if found.dtype.kind not in kind:
        expected = "real numbers" if kind == "f" else "integers"
        raise JaxgenError(f"{where} must hold {expected}, not {found.dtype}")
    return found


def rows(found: "h5py.Dataset", index: slice | np.ndarray) -> np.ndarray:
    """Rows of an array.

    Args:
        found: the array.
        index: consecutive rows, or the numbers of rows in ascending order without repeats.

    Raises:
        JaxgenError: they are damaged.
    """
    try:
        return found[index]
    except OSError as error:
        key = str(found.name).strip("/")
        raise JaxgenError(
            f"{found.file.filename} key {key} cannot be read ({error}); replace it"
        ) from error


def read(file: "h5py.File", key: str, rank: int, kind: str) -> np.ndarray:
    """The whole of an array; arguments and errors as for `dataset` and `rows`."""
    return rows(dataset(file, key, rank, kind), slice(None))
