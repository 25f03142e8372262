"""Sets of TensorFlow Datasets (TFDS), read without TensorFlow from copies in array_record format.

N images, H height, W width, S side of squares, C channels (1 grey, 3 colours).
"""

import dataclasses
import importlib.util
import os
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data import cache, ordinary_files, picture_files
from jaxgen.data.images import tfds_download
from jaxgen.data.images.base import Images, refuse_side
from jaxgen.data.picture_files import Colour
from jaxgen.display import progress
from jaxgen.errors import JaxgenError
from jaxgen.settings import check, flag, named, setting, shortened

INSTALL = "`pip install 'jaxgen[tfds]'`"
CHUNK = 1_000  # examples per read: array_record reads a chunk in parallel
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
        check(self, "data.")
        if importlib.util.find_spec("tensorflow_datasets") is None:
            raise JaxgenError(f"data set {self.name!r} needs TensorFlow Datasets; {INSTALL}")
        copy = _copy(self)
        shards = _shards(copy, self.name)
        _refuse_no_files(copy, shards)
        sources = [copy / "dataset_info.json", *shards]
        key = f"tfds-{self.name.replace('/', '-')}-{self.size}-{self.colour}"
        try:
            return cache.parsed(key, sources, lambda: _read(copy, self))
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
    import tensorflow_datasets as tfds  # heavy, and an optional extra

    builder: Any = tfds.builder_from_directory(copy)
    # The others are not decoded: that can take TensorFlow.
    features = _wanted(builder.info.features, config.name)
    raw = builder.as_data_source(
        split="train", deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    image_NHWC, label_N = _decoded(raw, features, config)
    return {"image": picture_files.in_colour(image_NHWC, config.colour), "label": label_N}


def _wanted(declared: Any, name: str) -> Any:
    """The features to read of those that a set declares."""
    import tensorflow_datasets as tfds

    is_dict = isinstance(declared, tfds.features.FeaturesDict)
    features: dict[str, Any] = dict(declared.items()) if is_dict else {}
    image, label = features.get("image"), features.get("label")
    if not isinstance(image, tfds.features.Image) or image.np_dtype not in (np.uint8, np.uint16):
        raise JaxgenError(
            f"TFDS set {name!r} has no feature 'image' that holds pictures of 8 or 16 bits; its "
            f"features are {shortened(', '.join(sorted(features)) or str(declared), 300)}"
        )
    is_class = label is not None and label.shape == () and np.issubdtype(label.np_dtype, np.integer)
    return tfds.features.FeaturesDict({"image": image} | ({"label": label} if is_class else {}))


def _decoded(raw: Any, features: Any, config: Tfds) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 (N, H, W, 3), and labels, int32 (N,)."""
    import tensorflow_datasets as tfds

    # TFDS's own image decoder warns where OpenCV is absent; pictures need no more than Pillow.
    as_files = {"image": tfds.decode.SkipDecoding()}

    def decode(record: bytes, most: int) -> tuple[np.ndarray, int]:
        example = features.deserialize_example_np(record, decoders=as_files)
        try:
            image_HWC = picture_files.read(example["image"], config.size, most)
        except JaxgenError as error:
            raise JaxgenError(f"TFDS set {config.name!r} has an unusable image: {error}") from error
        return image_HWC, example.get("label", 0)

    image_NHWC = np.zeros((0, 0, 0, 3), np.uint8)
    label_N = np.zeros(len(raw), np.int32)
    with (
        warnings.catch_warnings(action="ignore"),  # Pillow's, about files that it can read
        ThreadPoolExecutor() as pool,
        progress.bar(total=len(raw), desc="reading images", unit="image", delay=1) as done,
    ):
        for start in range(0, len(raw), CHUNK):
            rows = range(start, min(start + CHUNK, len(raw)))
            examples = picture_files.in_threads(pool, decode, raw.__getitems__(rows))
            for row, (image_HWC, label_N[row]) in zip(rows, examples, strict=True):
                if row == 0:
                    image_NHWC = np.empty((len(raw), *image_HWC.shape), np.uint8)
                _refuse_another_size(image_HWC.shape, image_NHWC.shape[1:], config)
                image_NHWC[row] = image_HWC
            done.update(len(rows))
    return image_NHWC, label_N


def _refuse_another_size(shape: tuple[int, ...], first: tuple[int, ...], config: Tfds) -> None:
    if shape != first:
        sizes = " and ".join(f"{height}x{width}" for height, width, _ in (first, shape))
        raise JaxgenError(
            f"the images of TFDS set {config.name!r} differ in size ({sizes} among them); give "
            f"the side to cut and scale them to, such as {flag('data.size')} 64"
        )
