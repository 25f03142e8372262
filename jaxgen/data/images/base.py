"""Data sets of small square images with labels, chosen by name.

To add one, write a function that gives `{"image": ..., "label": ...}` in a file of this folder and
name it in `SOURCES`. N examples, S side of an image, C channels (1 grey, 3 colours).
"""

import dataclasses
import difflib

import numpy as np

from jaxgen.data.images import idx, mnist5k, tfds
from jaxgen.data.images import pictures as picture_folder
from jaxgen.errors import JaxgenError

SIZES = range(16, 129, 4)  # what the convolutional networks take
_CHANNELS = {"auto": (1, 3), "grey": (1,), "rgb": (3,)}


@dataclasses.dataclass(frozen=True)
class ImagesConfig:
    """Which images to train on."""

    name: str = "mnist5k"
    """mnist5k (5,000 MNIST digits that come with a package: no network), mnist or
    fashion_mnist (a copy that TensorFlow Datasets prepared), idx (a folder of IDX files), or
    pictures (a folder of PNG, JPEG, ... files)."""

    dir: str = ""
    """idx: the folder with train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz. mnist and
    fashion_mnist: the data_dir of TensorFlow Datasets, where it is neither $TFDS_DATA_DIR
    nor ~/tensorflow_datasets. pictures: the folder; its sub-folders, if any, are classes."""

    train: int = 50_000
    """Images to train on, the first ones of the set; all of a smaller set."""

    validation: int = 5_000
    """Images held out for validation, the ones after those; fewer or none in a smaller set."""

    size: int = 28
    """Side of the images in pixels; pictures are cut to squares and scaled to it, the other sets
    are of 28."""

    colour: picture_folder.Colour = "auto"
    """pictures: grey, rgb, or auto, which is grey if every picture is. The other sets are grey."""


# Name -> function of the configuration to `image` uint8 (N, S, S, C) and `label` int32 (N,).
SOURCES = {
    "mnist5k": lambda config: mnist5k.load(config.dir),
    "mnist": lambda config: tfds.load("mnist", config.dir),
    "fashion_mnist": lambda config: tfds.load("fashion_mnist", config.dir),
    "idx": lambda config: idx.load(config.dir),
    "pictures": lambda config: picture_folder.load(config.dir, config.size, config.colour),
}


def load(config: ImagesConfig) -> dict[str, dict[str, np.ndarray]]:
    """Loads a data set and splits it, in the order of its files.

    The first `config.train` images are for training and up to `config.validation` following ones
    for validation, so that a set no larger than `config.train` (mnist5k by default) has an empty
    validation split.

    Args:
      config: names the set and the sizes of its splits.

    Returns:
      `train` and `validation`, each with `image` uint8 (N, S, S, C) and `label` int32 (N,).

    Raises:
      JaxgenError: the name is unknown, a size is out of range, the files are absent or unsound, the
        images have another size or colour than the configuration says, or the set is sorted by
        class and the split would separate classes.
    """
    if config.name not in SOURCES:
        close = difflib.get_close_matches(config.name, SOURCES, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise JaxgenError(
            f"there is no data set {config.name!r}; {hint}the data sets are {', '.join(SOURCES)}"
        )
    if config.train < 1:
        raise JaxgenError(f"--data.train is {config.train}; it must be at least 1")
    if config.validation < 0:
        raise JaxgenError(f"--data.validation is {config.validation}; it must be at least 0")
    if config.size not in SIZES:
        raise JaxgenError(
            f"--data.size is {config.size}; it must be a multiple of {SIZES.step} from "
            f"{SIZES[0]} to {SIZES[-1]}"
        )
    data = SOURCES[config.name](config)
    height, width, channels = data["image"].shape[1:]
    if (height, width) != (config.size, config.size) or channels not in _CHANNELS[config.colour]:
        raise JaxgenError(
            f"data set {config.name!r} has images of height, width and channels "
            f"{(height, width, channels)}, not --data.size {config.size} --data.colour "
            f"{config.colour}; only 'pictures' are scaled and converted"
        )
    _refuse_missing_classes(config, data["label"])
    held_out = slice(config.train, config.train + config.validation)
    return {
        "train": {key: array[: config.train] for key, array in data.items()},
        "validation": {key: array[held_out] for key, array in data.items()},
    }


def to_model_range(image):
    """Scales pixels to the range of the networks, [-1, 1] (0 is black, 255 white).

    Args:
      image: uint8 array of NumPy or JAX, any shape.

    Returns:
      float32 array of the same library and shape.

    Raises:
      TypeError: the array is not uint8, so that its range is unknown.
    """
    if image.dtype != np.uint8:
        raise TypeError(f"pixels must be uint8, not {image.dtype}")
    return image.astype(np.float32) / 127.5 - 1


def to_unit_range(image):
    """Scales images of the networks from [-1, 1] to [0, 1], in their own dtype.

    Args:
      image: float array of NumPy or JAX, any shape.

    Returns:
      An array of the same library, shape and dtype.
    """
    return (image + 1) / 2


def _refuse_missing_classes(config: ImagesConfig, label_N: np.ndarray) -> None:
    is_sorted = bool(np.all(label_N[:-1] <= label_N[1:]))
    left_out = sorted(set(label_N.tolist()) - set(label_N[: config.train].tolist()))
    if is_sorted and left_out:
        raise JaxgenError(
            f"data set {config.name!r} is sorted by class and its first {config.train} images have "
            f"none of class {', '.join(map(str, left_out))}; take all {len(label_N)} "
            f"(--data.train {len(label_N)})"
        )
