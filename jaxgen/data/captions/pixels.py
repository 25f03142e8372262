"""Pictures in files as the features of a set, for an encoder that learns with the captioner.

M pictures, K that are asked for, S side.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgen.data import picture_batches, picture_files
from jaxgen.data.captions.contents import Features
from jaxgen.display import progress
from jaxgen.errors import JaxgenError

_BLOCK_BYTES = 64 * 2**20  # of pictures decoded at a time, where all are


def pictures(paths: Sequence[Path], side: int, in_memory_mb: int) -> Features:
    """The squares in the middle of pictures, scaled; decoded in threads.

    Args:
        paths: of M pictures.
        side: S, pixels.
        in_memory_mb: if they take more they are read each time they are asked for, and all of them
            are decoded now otherwise.

    Returns:
        uint8 (M, S, S, 3), read or to be read.

    Raises:
        JaxgenError: a picture is missing or broken; also later, when it is read.
    """
    picture_batches.quiet()
    shape = (len(paths), side, side, 3)

    def read(rows_K: np.ndarray) -> np.ndarray:
        def decode(row: int, most: int) -> np.ndarray:
            try:
                return picture_files.read(paths[row], side, most)
            except picture_files.Large:
                raise
            except Exception as error:  # foreign files make Pillow raise nearly anything
                problem = picture_files.problem(paths[row], error)
                raise JaxgenError(f"{problem}; build the set again without it") from error

        return picture_batches.decoded(decode, rows_K.tolist(), 3, (side, side))

    if math.prod(shape) > in_memory_mb * 2**20:
        return Features(shape, read=read)
    array = np.empty(shape, np.uint8)
    step = max(1, _BLOCK_BYTES // math.prod(shape[1:]))
    with progress.bar(total=len(paths), desc="reading pictures", unit="picture", delay=1) as done:
        for start in range(0, len(paths), step):
            rows = np.arange(start, min(start + step, len(paths)))
            array[start : start + len(rows)] = read(rows)
            done.update(len(rows))
    return Features(shape, array)
