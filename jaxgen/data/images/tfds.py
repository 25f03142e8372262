"""Sets of TensorFlow Datasets (TFDS), read without TensorFlow from copies in array_record format.

N images, H height, W width, S side of squares, C channels (1 grey, 3 colours).
"""

import contextlib
import dataclasses
import hashlib
import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jaxgen.data import cache, ordinary_files, picture_files
from jaxgen.data.images import tfds_download
from jaxgen.data.images.base import Images, refuse_side
from jaxgen.data.images.stored import StoredImages
from jaxgen.data.images.tfds_examples import TfdsExamples
from jaxgen.data.picture_files import Colour
from jaxgen.errors import JaxgenError
from jaxgen.settings import check, flag, named, setting, shortened

INSTALL = "`pip install 'jaxgen[tfds]'`"
_NAME = re.compile(r"[A-Za-z]\w*(/\w[\w.+-]*)?")


@named("tfds")
@dataclasses.dataclass(frozen=True)
class Tfds(Images):
    """A set of TensorFlow Datasets: MNIST, CIFAR-10, SVHN, CelebA and any other of images."""

    name: str = "mnist"
    """Of the set in TFDS: mnist, fashion_mnist, cifar10, svhn_cropped, celeb_a, ...; with a slash
    and the name of its configuration where the set has several (cifar10_corrupted/fog_1)."""

    dir: str = ""
    """The data_dir of TFDS, where it is neither $TFDS_DATA_DIR nor ~/tensorflow_datasets."""

    size: int = setting(0)
    """Side in pixels to scale the square in the middle of an image to: a multiple of 4 from 16 to
    128; or 0, which leaves images, all of one size, as they are."""

    colour: Colour = "auto"
    """grey, rgb, or auto, which is grey if every image is."""

    download: bool = setting(False, may_change=True)
    """Where there is no copy yet, download and prepare one, which needs TensorFlow."""

    def check_together(self) -> None:
        """Refuses what cannot be a name in TFDS, and a size that the networks do not take."""
        if not _NAME.fullmatch(self.name):
            raise JaxgenError(
                f"{flag('data.name')} must be the name of a set in TFDS, such as fashion_mnist or "
                f"cifar10_corrupted/fog_1, got {self.name!r}"
            )
        refuse_side(self.size, or_as_they_are=True)

    def load(self) -> dict[str, np.ndarray]:
        """Loads the split `train` of a copy in array_record format.

        The decoded images are kept in jaxgen's cache, because decoding 60,000 PNGs takes seconds.

        Returns:
            `image` uint8 (N, H, W, C), and `label` int32 (N,): the feature of that name where it is
            one number for each image, all 0 otherwise.

        Raises:
            JaxgenError: TFDS is not installed, there is no copy, or none that can be read, its
                images differ in size and no size is given, or a field is out of range.
        """
        copy, shards = self._opened()
        sources = [copy / "dataset_info.json", *shards]
        with _told(copy):
            return cache.parsed(self._key("tfds"), sources, lambda: _read(copy, self))

    def stored(self) -> StoredImages:
        """The split `train`, opened: labels are read, images when they are asked for.

        Raises:
            JaxgenError: see `load`.
        """
        picture_files.quiet()
        copy, shards = self._opened()
        with _told(copy):
            known = cache.kept(
                self._key("tfds-labels"), _state(copy, shards), lambda: _survey(copy, self)
            )
            examples = TfdsExamples(copy, self.name, self.size)
        height, width, channels = map(int, known["shape"])

        def read(place_K: np.ndarray) -> np.ndarray:
            with _told(copy):
                return examples.read(place_K.tolist(), channels, (height, width))

        return StoredImages(
            (height, width, channels),
            known["label"],
            read=read,
            load=lambda: self.load()["image"],  # from the cache, where it was loaded before
        )

    def _key(self, beginning: str) -> str:
        return f"{beginning}-{self.name.replace('/', '-')}-{self.size}-{self.colour}"

    def _opened(self) -> tuple[Path, list[Path]]:
        """The folder of the copy, and its shards."""
        check(self, "data.")
        if importlib.util.find_spec("tensorflow_datasets") is None:
            raise JaxgenError(f"data set {self.name!r} needs TensorFlow Datasets; {INSTALL}")
        copy = _copy(self)
        shards = _shards(copy, self.name)
        _refuse_no_files(copy, shards)
        return copy, shards


@contextlib.contextmanager
def _told(copy: Path) -> Iterator[None]:
    """Whatever TFDS raises, as a sentence about the copy."""
    try:
        yield
    except JaxgenError:
        raise
    except ImportError as error:
        raise JaxgenError(f"TensorFlow Datasets is incomplete ({error}); {INSTALL}") from error
    except Exception as error:  # damaged copies make TFDS and its parsers raise nearly anything
        raise JaxgenError(
            f"cannot read the TFDS copy {copy}; delete it and prepare it again "
            f"({type(error).__name__}: {shortened(' '.join(str(error).split()), 300)})"
        ) from error


def _copy(config: Tfds) -> Path:
    """The folder of the newest copy; makes one where there is none and the configuration asks."""
    chosen = config.dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    data_dir = Path(os.path.expanduser(chosen))
    copy = _found(config.name, data_dir)
    if copy is None and config.download and not _prepared(config.name, data_dir):
        tfds_download.prepare(config.name, data_dir)
        copy = _found(config.name, data_dir)
    if copy is None:
        raise JaxgenError(_what_to_do(config, data_dir))
    return copy


def _found(name: str, data_dir: Path) -> Path | None:
    """The newest prepared version, looked for as files: TFDS itself would try the network."""
    return next((copy for copy in _prepared(name, data_dir) if _shards(copy, name)), None)


def _prepared(name: str, data_dir: Path) -> list[Path]:
    """Folders of prepared versions in any file format, the newest first."""
    copies = [info.parent for info in data_dir.glob(f"{name}/*/dataset_info.json")]
    return sorted(copies, key=_version, reverse=True)


def _version(copy: Path) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in copy.name.split("."))


def _shards(copy: Path, name: str) -> list[Path]:
    return sorted(copy.glob(f"{name.partition('/')[0]}-train.array_record*"))


def _refuse_no_files(copy: Path, shards: Sequence[Path]) -> None:
    advice = "prepare the TFDS copy again"
    for path in copy.glob("*.json"):
        ordinary_files.check(path, advice, ordinary_files.MOST_TEXT)
    for path in shards:
        ordinary_files.check(path, advice)


def _what_to_do(config: Tfds, data_dir: Path) -> str:
    name = config.name
    missing = f"no prepared TFDS copy of {name!r} in array_record format under {data_dir}"
    build = f"`tfds build {name} --file_format=array_record`"
    if copies := _prepared(name, data_dir):
        return (
            f"{missing} (found only copies in another file format, or without images to train on, "
            f"in {copies[0]}); where TensorFlow is installed run {build} with another --data_dir, "
            f"and give that as {flag('data.dir')}"
        )
    if parts := sorted({info.parts[-3] for info in data_dir.glob(f"{name}/*/*/dataset_info.json")}):
        return (
            f"{missing}, but there are copies of its configurations {', '.join(parts)}; name one, "
            f"such as {flag('data.name')} {name}/{parts[0]}"
        )
    return (
        f"{missing}; on a machine with a network and TensorFlow run {build}, then copy the folder "
        f"{name} here or give {flag('data.dir')}; or, if this is one, set {flag('data.download')}"
    )


def _read(copy: Path, config: Tfds) -> dict[str, np.ndarray]:
    image_NHWC, label_N = TfdsExamples(copy, config.name, config.size).read_all()
    return {"image": picture_files.in_colour(image_NHWC, config.colour), "label": label_N}


def _survey(copy: Path, config: Tfds) -> dict[str, np.ndarray]:
    examples = TfdsExamples(copy, config.name, config.size)
    label_N, (height, width), grey = examples.survey(config.colour == "auto")
    channels = 1 if grey or config.colour == "grey" else 3
    return {"label": label_N, "shape": np.array([height, width, channels])}


def _state(copy: Path, shards: Sequence[Path]) -> str:
    """A hash that changes with the copy; not of its contents, which may be too large for that."""
    digest = hashlib.sha256(cache.FORMAT + str(copy.resolve()).encode(errors="surrogateescape"))
    for path in shards:
        found = path.stat()
        digest.update(f"{path.name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
