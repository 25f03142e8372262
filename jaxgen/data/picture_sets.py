"""Pictures of any origin to measure: a folder of files or an .npz file, a block at a time.

N pictures of a block, H W height and width, S their side where they are cut to squares.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from jaxgen.data import npz_pictures, picture_files
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_BYTES = 2**27
"""Of the pixels of a block."""
MOST_PICTURES = 10_000_000

Prepare = Callable[["Picture"], np.ndarray]
"""What is made of each picture, in threads: uint8 (H', W', C)."""
AS_IT_IS: Prepare = np.asarray


class PictureSet(Protocol):
    """Pictures of one size."""

    path: Path
    """As it was given."""
    problems: list[str]
    """Sentences about pictures that could not be read, after all were."""

    def __len__(self) -> int:
        """How many there are, broken ones too."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each."""
        ...

    def blocks(self, most: int, prepare: Prepare) -> Iterator[np.ndarray]:
        """The pictures in their order, uint8 (N, H', W', C); N <= `most`, the same but in the last.

        Raises:
            JaxgenError: they differ in size, or the file is damaged.
        """
        ...


def opened(path: Path, name: str, side: int = 0) -> PictureSet:
    """A set of pictures.

    Args:
        path: a folder, with or without sub-folders, or an .npz file.
        name: of the setting that gave it, for messages.
        side: S, to which the largest square in the middle of each is scaled; 0 for pictures as
            they are, all of one size.

    Raises:
        JaxgenError: there are no pictures, or the file is not such a file.
        OSError: it cannot be read.
    """
    path = path.expanduser()
    if not path.is_dir():
        return _Array(path, npz_pictures.opened(path, flag(name)), side)
    paths = picture_files.find(path)
    if not paths:
        raise JaxgenError(
            f"{flag(name)} {path} has no pictures: no files that end in "
            f"{', '.join(picture_files.SUFFIXES)}"
        )
    if len(paths) > MOST_PICTURES:
        raise JaxgenError(f"{flag(name)} {path} has more than {MOST_PICTURES} pictures: give fewer")
    return _Folder(path, paths, side)


@dataclass
class _Folder:
    """Files of pictures, decoded in threads."""

    path: Path
    paths: list[Path]
    side: int
    problems: list[str] = field(default_factory=list)
    _size: tuple[int, int] | None = None
    _first: Path | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def size(self) -> tuple[int, int]:
        """Of the first that can be read."""
        if self._size is None and self.side:
            self._size = (self.side, self.side)
        for path in self.paths if self._size is None else ():
            result = self._attempt(path, picture_files.MOST_PIXELS, AS_IT_IS)
            if not isinstance(result, str):
                self._size, self._first = result[0], path
                break
        if self._size is None:
            raise JaxgenError(f"no picture of {self.path} can be read")
        return self._size

    def blocks(self, most: int, prepare: Prepare) -> Iterator[np.ndarray]:
        """See `PictureSet`."""
        import warnings

        size, self.problems = self.size, []
        most = fitting(most, size)
        kept: list[np.ndarray] = []
        with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor() as pool:

            def attempt(path: Path, pixels: int) -> tuple[tuple[int, int], np.ndarray] | str:
                return self._attempt(path, pixels, prepare)

            for start in range(0, len(self.paths), most):
                paths = self.paths[start : start + most]
                for path, result in zip(
                    paths, picture_files.in_threads(pool, attempt, paths), strict=True
                ):
                    if isinstance(result, str):
                        self.problems.append(result)
                        continue
                    if result[0] != size:
                        self._refuse_size(path, result[0])
                    kept.append(result[1])
                if len(kept) >= most:
                    yield np.stack(kept[:most])
                    kept = kept[most:]
        if kept:
            yield np.stack(kept)

    def _attempt(
        self, path: Path, most: int, prepare: Prepare
    ) -> tuple[tuple[int, int], np.ndarray] | str:
        try:
            picture = _squared(picture_files.opened(path, self.side, most), self.side)
            return (picture.height, picture.width), prepare(picture)
        except picture_files.Large:
            raise
        except Exception as error:  # foreign files make decoders raise nearly anything
            return picture_files.problem(path, error)

    def _refuse_size(self, path: Path, size: tuple[int, int]) -> None:
        raise JaxgenError(
            f"{path} is {in_words(size)} and {self._first or 'others'} {in_words(self.size)}: "
            f"pictures that are measured must be of one size; give {flag('size')}, to which all "
            "are cut and scaled, or scale them before"
        )


@dataclass
class _Array:
    """An array in an .npz file, read from front to back."""

    path: Path
    file: npz_pictures.NpzPictures
    side: int
    problems: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return self.file.count

    @property
    def size(self) -> tuple[int, int]:
        """Of each."""
        return (self.side, self.side) if self.side else self.file.size

    def blocks(self, most: int, prepare: Prepare) -> Iterator[np.ndarray]:
        """See `PictureSet`."""
        from PIL import Image

        def prepared(image_HWC: np.ndarray) -> np.ndarray:
            return prepare(_squared(Image.fromarray(image_HWC), self.side))

        with ThreadPoolExecutor() as pool:
            for image_NHWC in self.file.blocks(fitting(most, self.file.size)):
                if prepare is AS_IT_IS and not self.side:
                    yield image_NHWC
                else:
                    yield np.stack(list(pool.map(prepared, image_NHWC)))


def fitting(most: int, size: tuple[int, int]) -> int:
    """How many pictures of a size are in memory at once, `most` at the most."""
    return max(1, min(most, MOST_BYTES // (3 * size[0] * size[1])))


def _squared(picture: "Picture", side: int) -> "Picture":
    """As training has it; all of it for a side of 0."""
    return picture_files.fitted(picture, side, side) if side else picture


def in_words(size: tuple[int, int]) -> str:
    """Height and width as people say them: width first."""
    return f"{size[1]}x{size[0]}"
