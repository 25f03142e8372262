"""Folders of IDX files, the format in which MNIST and its successors are distributed.

Reference: http://yann.lecun.com/exdb/mnist/ (section "File formats").
"""

import dataclasses
import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from jaxgen.data import ordinary_files
from jaxgen.data.images.base import Images, needed_folder
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, named

UNSIGNED_BYTE = 0x08
MAX_BYTES = 2**30  # 17 times MNIST; a file that announces more is damaged or hostile

_MOST_OVERHEAD = 2**16  # bytes of a file that are no data, besides a hundredth of what gzip packs
_TOO_LONG = "{} goes on after its last element: its header announces {} bytes of data"
_TOO_SHORT = "{} is truncated: its header announces {} bytes of data"


@named("idx")
@dataclasses.dataclass(frozen=True)
class Idx(Images):
    """A folder of IDX files: MNIST, Fashion-MNIST and others of their format, all grey."""

    dir: str = ""
    """The folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, each with or without
    .gz; /usr/share/datasets/fashion-mnist is where Debian's dataset-fashion-mnist puts them."""

    def load(self) -> dict[str, np.ndarray]:
        """Loads the images and labels of the two files.

        Returns:
            `image` uint8 (N, H, W, 1) and `label` int32 (N,).

        Raises:
            JaxgenError: no folder is given, a file is missing or damaged, or the two do not match.
        """
        directory = needed_folder(self.dir, "idx", "IDX files")
        image_path = _find(directory, "train-images-idx3-ubyte")
        label_path = _find(directory, "train-labels-idx1-ubyte")
        image_NHW = read(image_path, rank=3)
        label_N = read(label_path, rank=1)
        if len(image_NHW) != len(label_N):
            raise JaxgenError(
                f"{image_path} has {len(image_NHW)} images but {label_path.name} has "
                f"{len(label_N)} labels; take both from the same data set"
            )
        return {"image": image_NHW[..., None], "label": label_N.astype(np.int32)}


def read(path: Path, *, rank: int) -> np.ndarray:
    """Reads one IDX file of unsigned bytes.

    Args:
        path: compressed where the name ends in `.gz`.
        rank: number of axes expected, 3 for images and 1 for labels.

    Returns:
        A uint8 array of that rank with at least one element.

    Raises:
        JaxgenError: the file cannot be read, is damaged, or is not IDX of that rank.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    ordinary_files.check(path, "download it again", 2 * MAX_BYTES)
    try:
        with opener(path, "rb") as file:
            shape = _shape(path, file.read(4), file.read(4 * rank), rank)
            size = math.prod(shape)
            # Zeros after its end, which a disk may leave, gzip would read one by one.
            if path.stat().st_size > size + size // 100 + _MOST_OVERHEAD:
                raise JaxgenError(_TOO_LONG.format(path, size))
            content = file.read(size + 1)  # no more than announced, whatever the file unpacks to
    except EOFError as error:
        raise JaxgenError(f"{path} is truncated; download it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise JaxgenError(
            f"{path} is not a sound gzip file ({error}); download it again"
        ) from error
    except OSError as error:
        raise JaxgenError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) != size:
        told = _TOO_LONG if len(content) > size else _TOO_SHORT
        raise JaxgenError(told.format(path, size))
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(path: Path, magic: bytes, sizes: bytes, rank: int) -> tuple[int, ...]:
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise JaxgenError(f"{path} is not an IDX file: it starts with {magic!r}")
    if magic[2] != UNSIGNED_BYTE:
        raise JaxgenError(
            f"{path} holds IDX data of type 0x{magic[2]:02x}; only unsigned bytes (0x08) are read"
        )
    if magic[3] != rank:
        raise JaxgenError(f"{path} holds an array of rank {magic[3]}; rank {rank} is expected here")
    if len(sizes) < 4 * rank:
        raise JaxgenError(f"{path} is truncated inside its header; download it again")
    shape = struct.unpack(f">{rank}I", sizes)
    size = math.prod(shape)
    if size == 0:
        raise JaxgenError(f"{path} is empty: its header announces the shape {shape}")
    if size > MAX_BYTES:
        raise JaxgenError(
            f"{path} announces {size} bytes of data, more than the {MAX_BYTES} that are read; "
            "it is damaged or no data set of small images"
        )
    return shape


def _find(directory: Path, name: str) -> Path:
    for candidate in (directory / f"{name}.gz", directory / name):
        if candidate.is_file():
            return candidate
    raise JaxgenError(
        f"{directory} has neither {name}.gz nor {name}; give another {flag('data.dir')}"
    )
