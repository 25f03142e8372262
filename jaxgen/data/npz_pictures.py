"""Pictures in an .npz file, read in blocks from front to back: no more is in memory at once.

What the file says of its array is checked before any of it is read, and nothing is unpickled.

N pictures, H W height and width, C channels.
"""

import contextlib
import errno
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from jaxgen.data import ordinary_files
from jaxgen.data.fetch import MOST_PIXELS
from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened

KEYS = ("images", "arr_0")
"""Under one of these a file has its pictures: as `jaxgen sample` and as others write them."""
MOST_PICTURES = 10_000_000
_MOST_BYTES = 2**42  # of a file
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_OUTSIDE = 1e-3  # beyond [-1, 1], as rounding gives


@dataclass(frozen=True)
class NpzPictures:
    """An array of pictures in a file."""

    path: Path
    name: str
    """Of the setting that gave it, for messages."""
    key: str
    shape: tuple[int, ...]
    """(N, H, W) or (N, H, W, C)."""
    dtype: np.dtype

    @property
    def count(self) -> int:
        """N."""
        return self.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each."""
        return self.shape[1], self.shape[2]

    def blocks(self, most: int) -> Iterator[np.ndarray]:
        """The pictures in their order, uint8 (N, H, W, 3), N <= `most`.

        Raises:
            JaxgenError: the file is damaged, or values are not finite or outside of [-1, 1].
        """
        of_one = math.prod(self.shape[1:])
        with _told(self), zipfile.ZipFile(self.path) as archive, _entry(archive, self.key) as file:
            _described(file)
            for start in range(0, self.count, most):
                count = min(most, self.count - start)
                content = _read(file, count * of_one * self.dtype.itemsize)
                values = np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])
                yield self._pixels(values, start)
            file.read(1)  # past the last byte, where the file's checksum is compared

    def _pixels(self, values: np.ndarray, start: int) -> np.ndarray:
        if values.dtype != np.uint8:
            values = np.asarray(values, np.float32)
            worst_N = np.abs(values.reshape(len(values), -1)).max(1)  # NaN stays NaN
            is_bad_N = ~(worst_N <= 1 + _OUTSIDE)
            if is_bad_N.any():
                row = int(is_bad_N.argmax())
                raise JaxgenError(
                    f"{self.name} {self.path} image {start + row} has a value of magnitude "
                    f"{worst_N[row]:g}: give uint8, or floats in [-1, 1]"
                )
            values = np.clip(np.rint((values + 1) * 127.5), 0, 255).astype(np.uint8)
        if values.ndim == 3:
            values = values[..., None]
        return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:3], 3)))


def opened(path: Path, name: str) -> NpzPictures:
    """What an .npz file says of its pictures, of which none is read yet.

    Args:
        path: of the file.
        name: of the setting that gave it, for messages.

    Raises:
        JaxgenError: it is no such file, has no pictures under one of `KEYS`, or they are neither
            uint8 nor floats, of another shape, or more than there may be.
    """
    ordinary_files.check(path, f"give another {name}, a folder or an .npz file", _MOST_BYTES)
    found = NpzPictures(path, name, "", (), np.dtype(np.uint8))
    with _told(found), zipfile.ZipFile(path) as archive:
        keys = [entry.removesuffix(".npy") for entry in archive.namelist()]
        key = next((key for key in KEYS if key in keys), None)
        if key is None:
            there = shortened(", ".join(map(ascii, keys)), 200) or "nothing"
            more = "; statistics are not enough" if "mu" in keys else ""
            raise JaxgenError(
                f"{name} {path} holds {there} and no pictures{more}: save them as "
                f"{' or '.join(KEYS)}, uint8 or floats in [-1, 1], channels last"
            )
        with _entry(archive, key) as file:
            shape, dtype = _described(file)
            announced = file.tell() + math.prod(shape) * dtype.itemsize
        if archive.getinfo(f"{key}.npy").file_size != announced:
            raise _Damaged(f"its array {key} is not as large as it says")
    found = NpzPictures(path, name, key, shape, dtype)
    _check(found)
    return found


def _check(found: NpzPictures) -> None:
    where, shape = f"{found.name} {found.path} array {found.key}", found.shape
    if found.dtype != np.uint8 and found.dtype.kind != "f":
        raise JaxgenError(
            f"{where} has numbers of type {shortened(str(found.dtype), 60)}: give uint8, or floats "
            "in [-1, 1]"
        )
    if len(shape) not in (3, 4) or shape[3:] not in ((), (1,), (3,)) or not math.prod(shape):
        hint = ""
        if len(shape) == 4 and shape[1] in (1, 3):
            hint = "; its channels seem to come first, so give images.transpose(0, 2, 3, 1)"
        raise JaxgenError(
            f"{where} has shape {shortened(str(shape), 60)}: expected (images, height, width, 1 or "
            f"3){hint}"
        )
    if shape[0] > MOST_PICTURES or shape[1] * shape[2] > MOST_PIXELS:
        raise JaxgenError(
            f"{where} has shape {shape}: give at most {MOST_PICTURES} pictures of at most "
            f"{MOST_PIXELS} pixels"
        )


class _Damaged(Exception):
    """What is wrong with a file."""


def _entry(archive: zipfile.ZipFile, key: str) -> IO[bytes]:
    return archive.open(f"{key}.npy")


def _described(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and the type of an array; afterwards the file is at its first number."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise _Damaged("its array is in an unknown form")
    shape, is_by_columns, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise _Damaged("it holds pickled objects, which are not read")
    if is_by_columns and len(shape) > 1:
        raise _Damaged("its array is in the order of columns: save numpy.ascontiguousarray of it")
    return shape, dtype


def _read(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise _Damaged("it ends too early")
    return content


@contextlib.contextmanager
def _told(found: NpzPictures) -> Iterator[None]:
    """Whatever a file makes its reader raise, as a sentence that names the file."""
    try:
        yield
    except (JaxgenError, MemoryError):
        raise
    except Exception as error:  # damaged files raise nearly anything
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = shortened(" ".join(str(error).split()), 200) or type(error).__name__
        raise JaxgenError(
            f"{found.name} {found.path} cannot be read as an .npz file of pictures ({reason}); "
            "give a folder, or a file that numpy.savez wrote"
        ) from error
