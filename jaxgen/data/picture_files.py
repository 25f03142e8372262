"""Picture files of any size and colour as squares of one size; broken ones become sentences.

N pictures, S side of the squares, H height, W width.
"""

import io
import itertools
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from jaxgen.data.fetch import FORMATS, MOST_PIXELS
from jaxgen.display import progress
from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Item = TypeVar("Item")
Result = TypeVar("Result")
Colour = Literal["auto", "grey", "rgb"]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
MOST_BYTES = 2**29  # of a file: `MOST_PIXELS` of four channels and 16 bits, packed in no way
MOST_IN_THREADS = 1_000_000  # pixels, of up to 20 bytes each; larger pictures come one at a time
_STRIP = 256  # rows
_BLOCK = 256  # pictures handed to the threads at a time, so that Ctrl-C waits for no more
_TOLD = 5  # broken pictures reported one by one


class Large(Exception):
    """A picture has more pixels than the caller wants to decode here."""


def find(folder: Path) -> list[Path]:
    """Files with the suffix of a picture in a folder or below it; hidden ones are left out.

    Returns:
        Their paths, sorted by what follows `folder`, with `/` between the parts.

    Raises:
        OSError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise error

    found = []
    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(root, name)
            for name in files
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def read(file: Path | bytes, side: int, most: int = MOST_PIXELS) -> np.ndarray:
    """The largest square in the middle of a picture, scaled with Lanczos' filter.

    Args:
        file: its path or its contents.
        side: S; 0 leaves the picture as it is.
        most: pixels to decode here.

    Returns:
        uint8 (S, S, 3) or (H, W, 3), also of a grey picture.

    Raises:
        JaxgenError, Large, Exception: as `opened` does.
    """
    upright = opened(file, side, most)
    return np.asarray(fitted(upright, side, side) if side else upright)


def fitted(picture: "Picture", width: int, height: int) -> "Picture":
    """The largest part of those proportions in the middle, scaled with Lanczos' filter."""
    from PIL import Image, ImageOps

    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def opened(file: Path | bytes, side: int = 0, most: int = MOST_PIXELS) -> "Picture":
    """A picture in three channels of 8 bits.

    It is turned as its EXIF data say; transparency shows white; of several frames the first is
    taken, and of 16 bits the upper 8.

    Args:
        file: its path or its contents.
        side: that it will be scaled to: a JPEG may come smaller than it is, but not below twice
            this. 0 for all of it.
        most: pixels to decode here.

    Returns:
        The decoded picture.

    Raises:
        JaxgenError: it is not a file, has more than `MOST_PIXELS` pixels or `MOST_BYTES` bytes,
            or pixels of an unknown range.
        Large: it has more than `most` pixels to decode.
        Exception: of nearly any kind, where the file cannot be read or is damaged.
    """
    from PIL import Image, ImageOps

    if isinstance(file, Path):
        _refuse_no_file(file)
    source = file if isinstance(file, Path) else io.BytesIO(file)
    with Image.open(source, formats=FORMATS) as image:
        pixels = image.width * image.height
        if pixels > MOST_PIXELS:
            raise JaxgenError(f"{image.width} x {image.height} is more than {MOST_PIXELS} pixels")
        if side:
            # A JPEG decodes many times faster at an eighth of its size; twice the side is ample.
            image.draft(None, (2 * side, 2 * side))
            if "progressive" not in image.info:  # which is decoded whole all the same
                pixels = image.width * image.height
        if pixels > most:
            raise Large
        image.load()  # which may change its mode
        ImageOps.exif_transpose(image, in_place=True)  # a copy would be a whole picture more
        return _rgb(image)


def checked(path: Path, most: int = MOST_PIXELS) -> tuple[bytes, bool]:
    """A picture's file, after its pixels were decoded once.

    Args:
        path: of the file.
        most: pixels to decode here.

    Returns:
        Its bytes, and whether it is grey.

    Raises:
        JaxgenError, Large, Exception: as `read` does.
    """
    _refuse_no_file(path)
    content = path.read_bytes()
    image_HWC = read(content, 0, most)
    strips = range(0, len(image_HWC), _STRIP)
    return content, _all_grey(image_HWC[top : top + _STRIP] for top in strips)


def _refuse_no_file(path: Path) -> None:
    if not path.is_file():  # to open a pipe would wait for its writer
        raise JaxgenError("it is not a file, or a link to one that is gone")
    if path.stat().st_size > MOST_BYTES:
        raise JaxgenError(f"it has more than {MOST_BYTES} bytes")


def _rgb(image: "Picture") -> "Picture":
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        if values.dtype.kind == "f" or values.min() < 0 or values.max() > 0xFFFF:
            raise JaxgenError("its pixels are neither 8 nor 16 bits")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.has_transparency_data:
        return _over_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _over_white(image: "Picture") -> "Picture":
    """A picture without transparency, in strips: to make it at once takes five of its size."""
    from PIL import Image

    width, height = image.size
    opaque = Image.new("RGB", image.size)
    for top in range(0, height, _STRIP):
        strip = image.crop((0, top, width, min(top + _STRIP, height))).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        opaque.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return opaque


def in_colour(image_NHWC: np.ndarray, colour: Colour) -> np.ndarray:
    """Pictures with the channels that a setting asks for.

    Args:
        image_NHWC: uint8 (N, H, W, 3).
        colour: "grey", "rgb", or "auto": grey if every picture is.

    Returns:
        uint8 (N, H, W, C), C 1 or 3; grey is the luma of ITU-R 601-2, exact where the three
        channels are equal.
    """
    if colour == "rgb" or (colour == "auto" and not _all_grey(image_NHWC)):
        return image_NHWC
    weights_C = np.array([299, 587, 114], np.uint32)
    grey_NHW1 = np.empty((*image_NHWC.shape[:3], 1), np.uint8)
    for row, image_HWC in enumerate(image_NHWC):
        grey_NHW1[row, :, :, 0] = (image_HWC @ weights_C + 500) // 1000
    return grey_NHW1


def _all_grey(image_NHWC: Iterable[np.ndarray]) -> bool:
    return all(bool((image_HWC == image_HWC[..., :1]).all()) for image_HWC in image_NHWC)


def in_threads(
    pool: ThreadPoolExecutor, attempt: Callable[[Item, int], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Results of reading pictures in threads, and large ones one at a time in this thread.

    Each thread keeps the memory that the largest of its pictures took. So it is bounded, whatever
    the number of threads: 36 of them, as many as there ever are, take 0.7 GB, a large picture 0.9.

    Args:
        pool: the threads.
        attempt: takes an item and the `most` that it is to give to `read`.
        items: of which each is attempted.

    Yields:
        What `attempt` gave, in the order of the items.
    """

    def small(item: Item) -> tuple[Result] | None:
        try:
            return (attempt(item, MOST_IN_THREADS),)
        except Large:
            return None

    items = list(items)
    # Several to a thread at a time: to hand each over by itself costs as much as to read a small
    # picture. Few enough that all threads have work to the end.
    size = max(1, len(items) // (8 * (os.cpu_count() or 1)))
    groups = [items[start : start + size] for start in range(0, len(items), size)]
    found = itertools.chain.from_iterable(pool.map(lambda group: list(map(small, group)), groups))
    for item, one in zip(items, found, strict=True):
        yield attempt(item, MOST_PIXELS) if one is None else one[0]


def read_all(paths: Sequence[Path], side: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Reads pictures, with a progress bar where it takes longer than a second.

    Args:
        paths: of the files.
        side: S.

    Returns:
        image_NSSC: uint8 (N, S, S, 3), those that could be read, in the order of `paths`.
        row_N: their places in `paths`, int64, ascending.
        problems: a sentence for each of the others.
    """

    def attempt(path: Path, most: int) -> np.ndarray | str:
        try:
            return read(path, side, most)
        except Large:
            raise
        except Exception as error:  # foreign files make decoders raise nearly anything
            return problem(path, error)

    images, rows, problems = [], [], []
    with (
        warnings.catch_warnings(action="ignore"),  # Pillow's, about files that it can read
        ThreadPoolExecutor() as pool,
        progress.bar(total=len(paths), desc="reading pictures", unit="picture", delay=1) as done,
    ):
        for start in range(0, len(paths), _BLOCK):
            block = paths[start : start + _BLOCK]
            for row, result in enumerate(in_threads(pool, attempt, block), start):
                if isinstance(result, str):
                    problems.append(result)
                else:
                    images.append(result)
                    rows.append(row)
            done.update(len(block))
    image_NSSC = np.stack(images) if images else np.zeros((0, side, side, 3), np.uint8)
    return image_NSSC, np.array(rows, np.int64), problems


def problem(path: Path, error: Exception) -> str:
    """A sentence about a picture that could not be read."""
    return f"{path}: {reason(error)}"


def reason(error: Exception) -> str:
    """Why a picture could not be read."""
    told = str(error).partition(" <_io.")[0]  # Pillow's name of bytes is a place in memory
    return shortened(" ".join(told.split()), 200) or type(error).__name__


def report(problems: Sequence[str], total: int) -> None:
    """Prints the first broken pictures one by one, then how many of `total` there were."""
    for problem in problems[:_TOLD]:
        print(f"skipped {problem}", file=sys.stderr)
    if problems:
        print(f"{len(problems)} of {total} pictures could not be used", file=sys.stderr)
