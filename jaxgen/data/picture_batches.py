"""Batches of pictures of one size, decoded in threads.

K pictures, H height, W width, C channels (1 grey, 3 colours).
"""

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from jaxgen.data import picture_files

Item = TypeVar("Item")


def quiet() -> None:
    """From now on Pillow does not warn of files that it can read.

    For as long as the process lasts: what threads read in the background cannot set and unset it.
    """
    warnings.filterwarnings("ignore", module=r"PIL\b")


def decoded(
    attempt: Callable[[Item, int], np.ndarray],
    items: Sequence[Item],
    channels: int,
    size: tuple[int, int],
) -> np.ndarray:
    """Pictures of one size, decoded in as many threads as there are cores.

    Any thread may call it, after `quiet`.

    Args:
        attempt: takes an item and the `most` that it is to give to `picture_files.read`; gives
            uint8 (H, W, 3).
        items: K of them.
        channels: C, 1 for grey, 3 for rgb.
        size: H and W.

    Returns:
        uint8 (K, H, W, C).
    """

    def in_its_colour(item: Item, most: int) -> np.ndarray:
        image_HWC = attempt(item, most)
        return image_HWC if channels == 3 else picture_files.in_colour(image_HWC[None], "grey")[0]

    image_KHWC = np.empty((len(items), *size, channels), np.uint8)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for row, image_HWC in enumerate(picture_files.in_threads(pool, in_its_colour, items)):
            image_KHWC[row] = image_HWC
    return image_KHWC
