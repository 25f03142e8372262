"""Images of an opened set: in memory, or read when they are asked for.

N images of the set, K that are asked for, H height, W width, C channels (1 grey, 3 colours).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from jaxgen.display import progress

_BLOCK_BYTES = 2**26  # of images that are read at a time, where all are


@dataclass(frozen=True)
class StoredImages:
    """N images with their labels.

    Attributes:
        shape: (H, W, C) of each.
        label_N: int32 (N,), classes from 0 on.
        array: uint8 (N, H, W, C), or None if `read` reads them.
        read: places (K,) -> uint8 (K, H, W, C); any thread may call it.
        load: reads them all, where that can be done in less time; uint8 (N or more, H, W, C).
        cluster_N: int32 (N,), groups of like images, where training has them in place of labels.
        hashes: uint8, of the files that `read` reads, where they are known.
    """

    shape: tuple[int, int, int]
    label_N: np.ndarray
    array: np.ndarray | None = None
    read: Callable[[np.ndarray], np.ndarray] | None = None
    load: Callable[[], np.ndarray] | None = None
    cluster_N: np.ndarray | None = None
    hashes: np.ndarray | None = None

    @classmethod
    def of(cls, data: Mapping[str, np.ndarray]) -> "StoredImages":
        """Images in memory: `image` uint8 (N, H, W, C) and `label` int32 (N,)."""
        height, width, channels = data["image"].shape[1:]
        return cls((height, width, channels), data["label"], data["image"])

    def __len__(self) -> int:
        return len(self.label_N)

    @property
    def bytes_of_one(self) -> int:
        """Bytes of an image."""
        return math.prod(self.shape)

    @property
    def classes(self) -> int:
        """One more than the largest label."""
        return int(self.label_N.max()) + 1

    def gather(self, place: np.ndarray) -> np.ndarray:
        """Some of the images.

        Args:
            place: integers of any shape, in [0, N).

        Returns:
            uint8 (*place.shape, H, W, C).

        Raises:
            JaxgenError: one of them cannot be read.
        """
        if self.array is not None:
            return self.array[place]
        if self.read is None:
            raise ValueError("images need an array, or a function that reads them")
        return self.read(place.reshape(-1)).reshape(*place.shape, *self.shape)

    def first(self, count: int) -> "StoredImages":
        """The first of the images, all where there are fewer."""
        array = None if self.array is None else self.array[:count]
        return dataclasses.replace(self, label_N=self.label_N[:count], array=array)

    def arrays(self) -> dict[str, np.ndarray]:
        """`image` uint8 (N, H, W, C) and `label` int32 (N,), all of them in memory.

        Raises:
            JaxgenError: an image cannot be read.
        """
        array = self.in_memory().array
        assert array is not None
        return {"image": array, "label": self.label_N}

    def in_memory(self) -> "StoredImages":
        """The same, all of them read.

        Raises:
            JaxgenError: one of them cannot be read.
        """
        if self.array is not None:
            return self
        if self.load is not None:
            return dataclasses.replace(self, array=self.load()[: len(self)], read=None, load=None)
        array = np.empty((len(self), *self.shape), np.uint8)
        step = max(1, _BLOCK_BYTES // self.bytes_of_one)
        with progress.bar(total=len(self), desc="reading images", unit="image", delay=1) as done:
            for start in range(0, len(self), step):
                places = np.arange(start, min(start + step, len(self)))
                array[places[0] : places[-1] + 1] = self.gather(places)
                done.update(len(places))
        return dataclasses.replace(self, array=array, read=None)
