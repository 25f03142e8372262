"""A folder of pictures as a set of square images with labels.

N images, S side, C channels (1 grey, 3 colours).
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from jaxgen.data import cache, picture_files
from jaxgen.errors import JaxgenError

Colour = Literal["auto", "grey", "rgb"]
LEAST = 2  # pictures of a class: the diversity of samples is told against that of its pictures
_VERSION = b"pictures 1"  # raise it when the same files give other images


def load(folder: str, side: int, colour: Colour = "auto") -> dict[str, np.ndarray]:
    """Loads the pictures in a folder, in an order that is random and always the same.

    Sub-folders are classes, labelled in the order of their names; without any, all pictures are of
    class 0. Pictures are cut to the square in their middle and scaled. Broken ones are told and
    left out. The result is kept in jaxgen's cache until a name, size or time of a file changes.

    Args:
      folder: holds pictures, or sub-folders with pictures in or below them.
      side: S.
      colour: "grey", "rgb", or "auto": grey if every picture is.

    Returns:
      `image` uint8 (N, S, S, C) and `label` int32 (N,).

    Raises:
      JaxgenError: there is no such folder, it mixes pictures with sub-folders of pictures, or a
        class has fewer than two pictures that can be read.
      OSError: a folder cannot be read.
    """
    if not folder:
        raise JaxgenError("data set 'pictures' needs a folder of pictures: give --data.dir")
    directory = Path(folder).expanduser().resolve()
    if not directory.is_dir():
        raise JaxgenError(f"--data.dir {folder} is not a folder; give the one with the pictures")
    classes = _classes(directory)
    paths = [path for members in classes.values() for path in members]
    label_N = np.repeat(np.arange(len(classes), dtype=np.int32), [*map(len, classes.values())])
    place = hashlib.sha256(str(directory).encode(errors="surrogateescape")).hexdigest()[:16]
    data = cache.kept(
        f"pictures-{place}-{side}-{colour}",
        _fingerprint(directory, paths),
        lambda: _parse(paths, label_N, side, colour),
    )
    picture_files.report(data.pop("problems").tolist(), len(paths))
    counts = np.bincount(data["label"], minlength=len(classes))
    for name, count in zip(classes, counts, strict=True):
        if count < LEAST:
            raise JaxgenError(
                f"{directory / name} has too few pictures that can be read, {count}: give at "
                f"least {LEAST}" + (" or remove the sub-folder" if name else "")
            )
    return data


def _classes(directory: Path) -> Mapping[str, Sequence[Path]]:
    """The pictures of each class, by the name of its sub-folder; "" is the folder itself."""
    children = sorted(child for child in directory.iterdir() if not child.name.startswith("."))
    below = {child.name: picture_files.find(child) for child in children if child.is_dir()}
    below = {name: paths for name, paths in below.items() if paths}
    beside = [
        child
        for child in children
        if child.name.lower().endswith(picture_files.SUFFIXES) and not child.is_dir()
    ]
    if below and beside:
        raise JaxgenError(
            f"{directory} has both pictures ({beside[0].name}) and sub-folders of pictures "
            f"({next(iter(below))}); sub-folders are classes, so move every picture into one"
        )
    if not below and not beside:
        raise JaxgenError(
            f"{directory} has no pictures: no files that end in {', '.join(picture_files.SUFFIXES)}"
        )
    return below or {"": beside}


def _fingerprint(directory: Path, paths: Sequence[Path]) -> str:
    # Not of the contents, as elsewhere: to read every picture is most of what the cache saves.
    digest = hashlib.sha256(cache.FORMAT + _VERSION)
    for path in paths:
        found = path.stat()
        line = f"{path.relative_to(directory)}\0{found.st_size}\0{found.st_mtime_ns}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _parse(
    paths: Sequence[Path], label_N: np.ndarray, side: int, colour: Colour
) -> dict[str, np.ndarray]:
    image_NSSC, row_N, problems = picture_files.read_all(paths, side)
    red_NSS = image_NSSC[..., :1]
    if colour == "grey" or (colour == "auto" and bool((image_NSSC == red_NSS).all())):
        image_NSSC = _grey(image_NSSC)
    order_N = np.random.default_rng(0).permutation(len(row_N))
    return {
        "image": image_NSSC[order_N],
        "label": label_N[row_N][order_N],
        "problems": np.array(problems, str),
    }


def _grey(image_NSSC: np.ndarray) -> np.ndarray:
    """Luma of ITU-R 601-2, uint8 (N, S, S, 1); exact where the three channels are equal."""
    weights_C = np.array([299, 587, 114], np.uint32)
    grey = np.empty((*image_NSSC.shape[:3], 1), np.uint8)
    for row, image_SSC in enumerate(image_NSSC):
        grey[row, :, :, 0] = (image_SSC @ weights_C + 500) // 1000
    return grey
