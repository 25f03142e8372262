"""What a loaded set of captions holds: captions of two splits, and features of their images.

N captions, T tokens of a caption, M images, F width of a feature, L feature tokens of an image,
H W C sides and channels of a picture.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.photographs.identity import EncoderIdentity


@dataclass(frozen=True)
class Features:
    """Features of M images, in memory or read when they are needed.

    Attributes:
        shape: (M, F) for vectors, (M, L, F) for tokens, (M, H, W, C) for the pictures themselves,
            which a captioner's encoder sees.
        array: float32 of that shape, or uint8 for pictures, or None if `read` reads them.
        read: ascending rows without repeats, (K,) -> real numbers (K, *shape[1:]), or uint8 for
            pictures; any thread may call it.
    """

    shape: tuple[int, ...]
    array: np.ndarray | None = None
    read: Callable[[np.ndarray], np.ndarray] | None = None

    @classmethod
    def of(cls, array: Any) -> "Features":
        """Features in memory: real or whole numbers, (M, F) for vectors, (M, L, F) for tokens.

        Pictures are uint8 (M, H, W, C).
        """
        array = np.asarray(array)
        if array.dtype.kind in "fiu" and array.ndim < 4:  # `load_captions` reports anything else
            array = array.astype(np.float32, copy=False)
        return cls(array.shape, array)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Features of some images.

        Args:
            rows: integers of any shape, in [0, M); repeats are read once.

        Returns:
            float32, or uint8 of pictures, (*rows.shape, *shape[1:]).
        """
        if self.array is not None:
            return self.array[rows]
        if self.read is None:
            raise ValueError("features need an array, or a function that reads them")
        unique, inverse = np.unique(rows, return_inverse=True)
        found = self.read(unique).astype(self.dtype, copy=False)
        return found[inverse].reshape(*np.shape(rows), *self.shape[1:])

    @property
    def are_pictures(self) -> bool:
        """Whether they are the pictures themselves."""
        return len(self.shape) == 4

    @property
    def dtype(self) -> np.dtype:
        """Of the numbers that are gathered."""
        return np.dtype(np.uint8 if self.are_pictures else np.float32)

    @property
    def bytes_of_one(self) -> int:
        """Bytes of an image's features, in memory."""
        return self.dtype.itemsize * math.prod(self.shape[1:])

    def in_memory(self) -> "Features":
        """The same, all of them read."""
        if self.array is not None:
            return self
        return Features(self.shape, self.gather(np.arange(self.shape[0])))


@dataclass(frozen=True)
class Split:
    """The training or the validation captions.

    Attributes:
        captions: `captions` int32 (N, T), START first, END and NULLs after the words; `image_index`
            int32 (N,), a row of the features.
        features: of the images.
        urls: M places of the pictures, for `jaxgen.data.fetch`; "" where there is none.
    """

    captions: dict[str, np.ndarray]
    features: Features
    urls: Sequence[str]


@dataclass(frozen=True)
class CaptionData:
    """A loaded set of captions.

    Attributes:
        train, validation: its two splits.
        vocabulary: of both.
        directory: where relative paths in `urls` start.
        facts: what is in each validation image, where that is known: for metrics of truth,
            a scene of `jaxgen.data.scenes.rendering` for each.
        train_facts: what is in each training image, where that is known: for rewards of truth.
        has_grid: the feature tokens of an image are a square grid in reading order; or the features
            are square pictures, of which an encoder makes such a grid.
        feature_encoder: of jaxgen's that made the features, if one did.
    """

    train: Split
    validation: Split
    vocabulary: Vocabulary
    directory: Path = Path()
    facts: Sequence[Any] | None = None
    has_grid: bool = False
    feature_encoder: EncoderIdentity = EncoderIdentity()
    train_facts: Sequence[Any] | None = None
