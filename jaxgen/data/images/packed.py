"""A folder that `jaxgen pack` made as a set of square images, read while training goes on.

N images, K that are asked for, S side, C channels (1 grey, 3 colours).
"""

import dataclasses
from pathlib import Path

import numpy as np

from jaxgen.data import picture_batches, picture_files
from jaxgen.data.images.base import Images, needed_folder, refuse_side
from jaxgen.data.images.pictures import LEAST
from jaxgen.data.images.stored import StoredImages
from jaxgen.data.picture_files import Colour
from jaxgen.data.streaming.packed_set import PackedSet
from jaxgen.errors import JaxgenError
from jaxgen.settings import check, named, shortened


@named("packed")
@dataclasses.dataclass(frozen=True)
class Packed(Images):
    """A folder that `jaxgen pack` made; it need not fit into memory."""

    dir: str = ""
    """The folder."""

    size: int = 28
    """Side in pixels to scale the square in the middle of a picture to: a multiple of 4 from 16 to
    128."""

    colour: Colour = "auto"
    """grey, rgb, or auto, which is grey if every picture is."""

    def check_together(self) -> None:
        """Refuses a size that the networks do not take."""
        refuse_side(self.size)

    def stored(self) -> StoredImages:
        """The set, opened: each image is the one that `--data pictures` makes of the same file.

        Raises:
            JaxgenError: the folder is no packed set, or a damaged one; a class has fewer than two
                pictures; a field is out of range; or Grain is not installed.
        """
        check(self, "data.")
        directory = needed_folder(self.dir, "packed", "set that `jaxgen pack` made")
        picture_batches.quiet()
        packed = PackedSet.opened(directory)
        _refuse_small_classes(directory, packed)
        channels = 1 if self.colour == "grey" or (self.colour == "auto" and packed.is_grey) else 3
        shape = (self.size, self.size, channels)
        return StoredImages(
            shape,
            packed.label_N,
            read=lambda place_K: _read(packed, place_K, shape),
            hashes=packed.hashes,
        )

    def load(self) -> dict[str, np.ndarray]:
        """Loads the whole set into memory.

        Returns:
            `image` uint8 (N, S, S, C) and `label` int32 (N,), all 0 without sub-folders.

        Raises:
            JaxgenError: see `stored`; or a record is damaged.
        """
        return self.stored().arrays()


def _read(packed: PackedSet, place_K: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Images (K, S, S, C) of examples."""
    side, _, channels = shape

    def decode(item: tuple[int, bytes], most: int) -> np.ndarray:
        place, picture = item
        try:
            return picture_files.read(picture, side, most)
        except picture_files.Large:
            raise
        except Exception as error:  # what was read when it was packed may not be by another Pillow
            reason = shortened(" ".join(str(error).split()), 200)
            raise JaxgenError(
                f"{packed.named(place)} is no picture that can be read "
                f"({reason or type(error).__name__}); pack the pictures again"
            ) from error

    image_KSSC = np.empty((len(place_K), *shape), np.uint8)
    for start in range(0, len(place_K), packed.together):
        places = place_K[start : start + packed.together].tolist()
        found = packed.examples(places)
        items = [(place, one.picture) for place, one in zip(places, found, strict=True)]
        image_KSSC[start : start + len(items)] = picture_batches.decoded(
            decode, items, channels, (side, side)
        )
    return image_KSSC


def _refuse_small_classes(directory: Path, packed: PackedSet) -> None:
    counts = np.bincount(packed.label_N, minlength=len(packed.classes))
    for name, count in zip(packed.classes, counts, strict=True):
        if count < LEAST:
            what = f"class {name!r} of {directory}" if name else str(directory)
            raise JaxgenError(
                f"{what} has too few pictures, {count}: give at least {LEAST}"
                + (" or remove the sub-folder, and pack again" if name else ", and pack again")
            )
