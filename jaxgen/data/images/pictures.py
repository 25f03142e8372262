"""A folder of pictures as a set of square images with labels.

N images, S side, C channels (1 grey, 3 colours).
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxgen.data import cache, picture_files, picture_folders
from jaxgen.data.images.base import Images, needed_folder, refuse_side
from jaxgen.data.picture_files import Colour
from jaxgen.errors import JaxgenError
from jaxgen.settings import check, named

LEAST = 2  # pictures of a class: the diversity of samples is measured against that of its pictures
_VERSION = b"pictures 1"  # raise it when the same files yield other images


@named("pictures")
@dataclasses.dataclass(frozen=True)
class Pictures(Images):
    """A folder of PNG, JPEG, ... files, cut to squares and scaled; sub-folders are classes."""

    dir: str = ""
    """The folder: it holds pictures, or sub-folders with pictures in or below them, each a class in
    the order of their names."""

    size: int = 28
    """Side in pixels to scale the square in the middle of a picture to: a multiple of 4 from 16 to
    128."""

    colour: Colour = "auto"
    """grey, rgb, or auto, which is grey if every picture is."""

    def check_together(self) -> None:
        """Refuses a size that the networks do not take."""
        refuse_side(self.size)

    def load(self) -> dict[str, np.ndarray]:
        """Loads the pictures in the folder, in an order that is random and always the same.

        Broken ones are reported and left out. The result is kept in jaxgen's cache until a name,
        size or time of a file changes.

        Returns:
            `image` uint8 (N, S, S, C) and `label` int32 (N,), all 0 without sub-folders.

        Raises:
            JaxgenError: there is no such folder, it mixes pictures with sub-folders of pictures, a
                class has fewer than two pictures that can be read, or a field is out of range.
            OSError: a folder cannot be read.
        """
        check(self, "data.")
        directory = needed_folder(self.dir, "pictures", "pictures").resolve()
        classes = picture_folders.classes(directory)
        paths = [path for members in classes.values() for path in members]
        label_N = np.repeat(np.arange(len(classes), dtype=np.int32), [*map(len, classes.values())])
        place = hashlib.sha256(str(directory).encode(errors="surrogateescape")).hexdigest()[:16]
        data = cache.kept(
            f"pictures-{place}-{self.size}-{self.colour}",
            _fingerprint(directory, paths),
            lambda: _parse(paths, label_N, self.size, self.colour),
        )
        picture_files.report(data.pop("problems").tolist(), len(paths))
        _refuse_small_classes(directory, classes, data["label"])
        return data


def _refuse_small_classes(
    directory: Path, classes: Mapping[str, Sequence[Path]], label_N: np.ndarray
) -> None:
    counts = np.bincount(label_N, minlength=len(classes))
    for name, count in zip(classes, counts, strict=True):
        if count < LEAST:
            raise JaxgenError(
                f"{directory / name} has too few pictures that can be read, {count}: give at "
                f"least {LEAST}" + (" or remove the sub-folder" if name else "")
            )


def _fingerprint(directory: Path, paths: Sequence[Path]) -> str:
    # Not of the contents, as elsewhere: to read every picture is most of what the cache saves.
    digest = hashlib.sha256(cache.FORMAT + _VERSION)
    for path in paths:
        line = f"{path.relative_to(directory)}\0{_state(path)}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:  # such as a link to nowhere: reported with the broken pictures
        return "gone"
    return f"{found.st_size}\0{found.st_mtime_ns}"


def _parse(
    paths: Sequence[Path], label_N: np.ndarray, side: int, colour: Colour
) -> dict[str, np.ndarray]:
    image_NSSC, row_N, problems = picture_files.read_all(paths, side)
    image_NSSC = picture_files.in_colour(image_NSSC, colour)
    order_N = np.random.default_rng(0).permutation(len(row_N))
    return {
        "image": image_NSSC[order_N],
        "label": label_N[row_N][order_N],
        "problems": np.array(problems, str),
    }
