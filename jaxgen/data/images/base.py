"""What a set of images is: a configuration that loads them; and the range of the networks.

A set of your own is a subclass of `Images` in a file of yours, with the fields that it needs.

N examples, H height, W width, C channels (1 grey, 3 colours).
"""

import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen import settings
from jaxgen.data.images import old_form
from jaxgen.data.images.stored import StoredImages
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, setting
from jaxgen.settings.notes import note

SIDES = range(16, 129, 4)  # what the convolutional networks take


@dataclasses.dataclass(frozen=True)
class Images(ABC):
    """A set of images with labels: its numbers, as flags; subclasses load it."""

    train: int = setting(50_000, least=1)
    """Images to train on, the first ones of the set; all of a smaller set."""

    @abstractmethod
    def load(self) -> dict[str, np.ndarray]:
        """Loads the whole set, whatever `train` is; `load_images` is what callers use.

        Returns:
            `image` uint8 (N, H, W, C), C 1 or 3, and `label` int32 (N,), classes from 0 on, all 0
            where there are none. A set of your own may leave out `label` where there are none, and
            use any integer type.
        """

    def stored(self) -> StoredImages | None:
        """The whole set, opened to be read at random; `open_images` is what callers use.

        Returns:
            Images that are read when they are asked for; None, as here, where the set can only be
            loaded.
        """
        return None

    @classmethod
    def upgraded(cls, value: dict[str, Any], where: str) -> dict[str, Any]:
        """The JSON form that a run has today, from the one that jaxgen 0.1.0 wrote.

        That version had one class for all sets and wrote no `type`.

        Args:
            value: the form without a `type`; that of a class that a configuration declares itself
                has none either, and stays as it is.
            where: what to call it in messages.

        Returns:
            `type` and the fields of its class.

        Raises:
            JaxgenError: it is not what jaxgen 0.1.0 wrote.
        """
        return old_form.upgraded(value, where) if cls is Images else value


def load_images(images: Images) -> dict[str, np.ndarray]:
    """Loads what a set has to train on: its first `images.train` images.

    Args:
        images: the set.

    Returns:
        `image` uint8 (N, H, W, C), C 1 or 3, and `label` int32 (N,), from 0 on.

    Raises:
        JaxgenError: the files are absent or unsound, a set of your own gives something other than
            images and labels, or the set is sorted by class and its first images lack a class.
    """
    if images.train < 1:
        raise JaxgenError(f"{flag('data.train')} must be at least 1, got {images.train}")
    given = images.load()
    if problem := _problem(given):
        raise JaxgenError(f"{type(images).__name__}.load() {problem}")
    image_NHWC = given["image"]
    label_N = given.get("label", np.zeros(len(image_NHWC), np.int32)).astype(np.int32, copy=False)
    _refuse_missing_classes(images, label_N)
    return {"image": image_NHWC[: images.train], "label": label_N[: images.train]}


def open_images(images: Images) -> StoredImages:
    """Opens what a set has to train on: its first `images.train` images, read later if it can be.

    Args:
        images: the set.

    Raises:
        JaxgenError: see `load_images`.
    """
    stored = images.stored()
    if stored is None:
        return StoredImages.of(load_images(images))
    _refuse_missing_classes(images, stored.label_N)
    if images.train < len(stored):
        note(
            f"{flag('data.train')} {images.train}: the set has {len(stored)} images, the first "
            f"{images.train} are used"
        )
    return stored.first(images.train)


def needed_folder(given: str, name: str, content: str) -> Path:
    """The folder that a set of files cannot do without.

    Args:
        given: its field `dir`.
        name: of the set.
        content: what the folder holds, for messages.

    Raises:
        JaxgenError: none is given, or it is not a folder.
    """
    if not given:
        raise JaxgenError(
            f"data set {name!r} needs the folder with the {content}: give {flag('data.dir')}"
        )
    directory = Path(os.path.expanduser(given))
    if not directory.is_dir():
        raise JaxgenError(
            f"{flag('data.dir')} {given} is not a folder; give the one with the {content}"
        )
    return directory


def refuse_side(side: int, *, or_as_they_are: bool = False) -> None:
    """Refuses a side of images that the networks do not take.

    Args:
        side: the field `size` of a set that scales its images.
        or_as_they_are: whether 0, not to scale them, is allowed.

    Raises:
        JaxgenError: it is not in `SIDES`.
    """
    if side not in SIDES and not (or_as_they_are and side == 0):
        raise JaxgenError(
            f"{flag('data.size')} must be {'0 or ' if or_as_they_are else ''}a multiple of "
            f"{SIDES.step} from {SIDES[0]} to {SIDES[-1]}, got {side}"
        )


def to_model_range(image: Any) -> Any:
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


def to_unit_range(image: Any) -> Any:
    """Scales images of the networks from [-1, 1] to [0, 1], in their own dtype.

    Args:
        image: float array of NumPy or JAX, any shape.

    Returns:
        An array of the same library, shape and dtype.
    """
    return (image + 1) / 2


def _problem(given: Any) -> str:
    """What is wrong with the result of a set's `load`; "" if nothing is."""
    if not isinstance(given, Mapping):
        return f"must give a dictionary of image and label, not {_kind(given)}"
    if wrong := sorted(map(repr, given.keys() - {"image", "label"})):
        return f"gives {', '.join(wrong)}, but only 'image' and 'label' are known"
    if "image" not in given:
        return "gives no 'image'"
    image_NHWC = given["image"]
    is_array = isinstance(image_NHWC, np.ndarray) and image_NHWC.dtype == np.uint8
    if not is_array or image_NHWC.ndim != 4 or image_NHWC.shape[-1] not in (1, 3):
        return (
            "must give 'image' as a NumPy array of uint8 and of shape (N, H, W, C), C 1 or 3, not "
            f"{_shown(image_NHWC)}"
        )
    if image_NHWC.size == 0:
        return f"gives no image: the shape of 'image' is {image_NHWC.shape}"
    return _label_problem(given["label"], len(image_NHWC)) if "label" in given else ""


def _label_problem(label_N: Any, size: int) -> str:
    if not isinstance(label_N, np.ndarray) or label_N.dtype.kind not in "iu" or label_N.ndim != 1:
        return f"must give 'label' as a NumPy array of integers (N,), not {_shown(label_N)}"
    if len(label_N) != size:
        return f"gives {size} images but {len(label_N)} labels"
    if label_N.min() < 0:
        return f"gives the label {label_N.min()}, but classes are numbered from 0 on"
    if label_N.max() > np.iinfo(np.int32).max:
        return f"gives the label {label_N.max()}, which is no number of a class"
    return ""


def _shown(value: Any) -> str:
    return f"{_kind(value)} of shape {value.shape}" if hasattr(value, "shape") else _kind(value)


def _kind(value: Any) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__


def _refuse_missing_classes(images: Images, label_N: np.ndarray) -> None:
    is_sorted = bool(np.all(label_N[:-1] <= label_N[1:]))
    left_out = sorted(set(label_N.tolist()) - set(label_N[: images.train].tolist()))
    if is_sorted and left_out:
        raise JaxgenError(
            f"data set {settings.class_name(type(images))!r} is sorted by class and its first "
            f"{images.train} images have none of class {', '.join(map(str, left_out))}; take all "
            f"{len(label_N)} ({flag('data.train')} {len(label_N)})"
        )
