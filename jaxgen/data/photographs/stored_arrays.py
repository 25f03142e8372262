"""Arrays as files of weights describe them, before any is read; what is wrong becomes a sentence.

Of an array the files tell a type, a shape and where its numbers are. All of it is checked against
what is expected, and against the file's size, before memory is taken.
"""

import contextlib
import errno
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened

MOST_HEADER = 16 * 2**20
"""Bytes of what describes the arrays: a hundred times as many as ResNet-101's take."""


class Kind(NamedTuple):
    """A type of numbers in files."""

    bytes: int
    dtype: str
    """As NumPy reads them; numbers of bfloat16 are the upper halves of float32."""


KINDS = {
    "float32": Kind(4, "<f4"),
    "float64": Kind(8, "<f8"),
    "float16": Kind(2, "<f2"),
    "bfloat16": Kind(2, "<u2"),
    "int64": Kind(8, "<i8"),
    "int32": Kind(4, "<i4"),
    "uint8": Kind(1, "u1"),
    "bool": Kind(1, "u1"),
}
REAL = ("float32", "float64", "float16", "bfloat16")


class Unsound(Exception):
    """What is wrong with a file of weights, the rest of a sentence that begins with its path."""


@dataclass(frozen=True)
class StoredArray:
    """An array that a file describes."""

    kind: str
    """One of `KINDS`."""
    shape: tuple[int, ...]
    read: Callable[[], bytes]
    """Gives the numbers in which it lies, little-endian."""
    start: int = 0
    """Of those the place of its first."""
    strides: tuple[int, ...] | None = None
    """How many numbers lie between neighbours along each axis; in rows if not given."""

    def array(self) -> np.ndarray:
        """The array, float32.

        Raises:
            Unsound: its file does not hold it whole, or it is not made of real numbers.
        """
        if self.kind not in REAL:
            raise Unsound(f"has {self.kind} where real numbers are expected")
        number = KINDS[self.kind]
        flat = np.frombuffer(self.read(), number.dtype)
        strides = self.strides if self.strides is not None else in_rows(self.shape)
        last = self.start + sum(
            (side - 1) * stride for side, stride in zip(self.shape, strides, strict=True)
        )
        if last >= len(flat):
            raise Unsound(f"has {len(flat)} numbers, too few for its shape {self.shape}")
        if self.kind == "bfloat16":
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        view = np.lib.stride_tricks.as_strided(
            flat[self.start :],
            self.shape,
            tuple(flat.itemsize * stride for stride in strides),
            writeable=False,
        )
        with np.errstate(over="ignore"):  # of float64: what becomes infinite is refused later
            return view.astype(np.float32)


def in_rows(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of an array whose numbers lie in the order of its rows."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


@contextlib.contextmanager
def told(path: Path, advice: str) -> Iterator[None]:
    """Whatever a file of weights makes its reader raise, as a sentence that names the file.

    Raises:
        JaxgenError: the file is not sound.
    """
    try:
        yield
    except JaxgenError:
        raise
    except Unsound as error:
        raise JaxgenError(f"{path} {error}; {advice}") from error
    except MemoryError:
        raise
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # of the system; a place before 0 is damage
            raise
        raise JaxgenError(f"{path} is damaged ({_reason(error)}); {advice}") from error
    except Exception as error:  # damaged files raise nearly anything
        raise JaxgenError(f"{path} is damaged ({_reason(error)}); {advice}") from error


def _reason(error: Exception) -> str:
    return shortened(" ".join(str(error).split()), 200) or type(error).__name__
