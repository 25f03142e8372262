"""What the captions of a split have to be, wherever they come from.

N captions, T tokens of a caption, M images.
"""

import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgen.data.captions.contents import CaptionData, Features, Split
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError

_KINDS = {"iu": "whole numbers", "f": "real numbers"}


class Called(NamedTuple):
    """What messages call the arrays of a split."""

    captions: str
    image_index: str
    features: str
    pictures: str
    advice: str
    """How to fix what is wrong."""


def check_array(
    array: Any, ranks: tuple[int, ...], kind: str, called: str, advice: str
) -> np.ndarray:
    """The array, if it is one of some rank and kind.

    Args:
        array: anything.
        ranks: how many axes it may have.
        kind: "f" if it must hold real numbers, "iu" for whole numbers.
        called: what messages call it.
        advice: how to fix it.

    Raises:
        JaxgenError: it is not an array, is empty, or is of another rank or kind.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kind:
        found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise JaxgenError(f"{called} must be an array of {_KINDS[kind]}, not {found}; {advice}")
    if array.ndim not in ranks or not array.size:
        axes = " or ".join(map(str, ranks))
        raise JaxgenError(
            f"{called} must have {axes} axes, none empty; its shape is {array.shape}; {advice}"
        )
    return array


def check_split(
    captions_NT: np.ndarray,
    index_N: np.ndarray,
    images: int,
    places: Sequence[str],
    vocabulary: Vocabulary,
    called: Called,
) -> None:
    """Checks captions against their vocabulary and their images.

    Args:
        captions_NT: integers.
        index_N: integers, the image of each caption.
        images: M, how many have features.
        places: of the images' pictures.
        vocabulary: of the captions.
        called: names for messages.

    Raises:
        JaxgenError: numbers of rows differ, a token is not in the vocabulary, a caption does not
            begin with START or lacks END, or an image is missing.
    """
    name, advice = called.captions, called.advice
    if len(captions_NT) != len(index_N):
        raise JaxgenError(
            f"{name} has {len(captions_NT)} rows, but {called.image_index} {len(index_N)}; {advice}"
        )
    refuse(
        np.any((captions_NT < 0) | (captions_NT >= len(vocabulary)), axis=1),
        f"{name} has a token outside the vocabulary of {len(vocabulary)} words",
        advice,
    )
    refuse(captions_NT[:, 0] != vocabulary.start, f"{name} has a caption without START", advice)
    has_end_N = np.any(captions_NT == vocabulary.end, axis=1)
    refuse(~has_end_N, f"{name} has a caption without END", advice)
    refuse(
        (index_N < 0) | (index_N >= images),
        f"{called.image_index} has an image outside the {images} rows of {called.features}",
        advice,
    )
    if len(places) != images:
        raise JaxgenError(
            f"{called.pictures} must name a picture for each of the {images} rows of "
            f"{called.features}, not {len(places)}; {advice}"
        )


def check_finite(features: np.ndarray, called: str, advice: str, start: int = 0) -> None:
    """Refuses features that are not finite; messages count rows from `start`.

    Raises:
        JaxgenError: a value is NaN or infinite.
    """
    is_bad_N = np.any(~np.isfinite(features.reshape(len(features), -1)), axis=1)
    refuse(is_bad_N, f"{called} has a value that is not finite", advice, start)


def check_alike(train: Features, validation: Features, called: str, advice: str) -> None:
    """Refuses features of one shape to train on and of another to validate on.

    Raises:
        JaxgenError: the shapes of an image's features differ.
    """
    shape, other = train.shape[1:], validation.shape[1:]
    if shape != other:
        raise JaxgenError(
            f"{called} must have features of one shape, not {shape} to train on and {other} to "
            f"validate on; {advice}"
        )


def refuse(is_bad_N: np.ndarray, what: str, advice: str, start: int = 0) -> None:
    """Raises JaxgenError with `what` if any row is bad; names the first, counted from `start`."""
    if is_bad_N.any():
        raise JaxgenError(f"{what} (row {start + int(is_bad_N.argmax())}); {advice}")


def sound(data: Any, name: str) -> CaptionData:
    """What a set loads, if it is sound.

    Args:
        data: what its `load` returned.
        name: of its class, for messages.

    Returns:
        The same, with captions of int32 and features of float32.

    Raises:
        JaxgenError: a part is missing, of another type or shape, or does not fit the others.
    """
    place, advice = f"{name}.load()", f"fix {name}.load"
    _expect(data, CaptionData, place, advice)
    _expect(data.vocabulary, Vocabulary, f"{place}.vocabulary", advice)
    if data.vocabulary.units != "words":
        raise JaxgenError(f"{place}.vocabulary must be of words, which units spells; {advice}")
    if not isinstance(data.directory, (str, os.PathLike)):
        raise JaxgenError(f"{place}.directory must be a path, not {data.directory!r}; {advice}")
    train, validation = (
        _sound_split(getattr(data, split), f"{place}.{split}", advice, data.vocabulary)
        for split in ("train", "validation")
    )
    check_alike(train.features, validation.features, place, advice)
    shape = train.features.shape
    is_grid = len(shape) == 3 and math.isqrt(shape[1]) ** 2 == shape[1]
    if data.has_grid and not is_grid and not train.features.are_pictures:
        raise JaxgenError(
            f"{place} has_grid, but its features of an image, {shape[1:]}, are not the tokens of a "
            f"square; {advice}"
        )
    if data.facts is not None:
        _expect(data.facts, Sequence, f"{place}.facts", advice)
        images = validation.features.shape[0]
        if len(data.facts) != images:
            raise JaxgenError(
                f"{place}.facts must tell of each of the {images} validation images, not of "
                f"{len(data.facts)}; {advice}"
            )
    directory = Path(data.directory)
    return dataclasses.replace(data, train=train, validation=validation, directory=directory)


def _sound_split(split: Any, place: str, advice: str, vocabulary: Vocabulary) -> Split:
    _expect(split, Split, place, advice)
    is_dict = isinstance(split.captions, dict)
    if not is_dict or split.captions.keys() != {"captions", "image_index"}:
        raise JaxgenError(f"{place}.captions must be a dict of captions and image_index; {advice}")
    called = Called(
        captions=f"{place}.captions['captions']",
        image_index=f"{place}.captions['image_index']",
        features=f"{place}.features",
        pictures=f"{place}.urls",
        advice=advice,
    )
    captions_NT = check_array(split.captions["captions"], (2,), "iu", called.captions, advice)
    index_N = check_array(split.captions["image_index"], (1,), "iu", called.image_index, advice)
    features = _sound_features(split.features, called.features, advice)
    is_list = isinstance(split.urls, (list, tuple))
    if not is_list or not all(isinstance(url, str) for url in split.urls):
        raise JaxgenError(f"{called.pictures} must be a list of texts; {advice}")
    check_split(captions_NT, index_N, features.shape[0], split.urls, vocabulary, called)
    arrays = {"captions": captions_NT, "image_index": index_N}
    as_int32 = {key: array.astype(np.int32, copy=False) for key, array in arrays.items()}
    return Split(as_int32, features, split.urls)


def _sound_features(features: Any, called: str, advice: str) -> Features:
    _expect(features, Features, called, advice)
    shape = features.shape
    if features.array is not None or features.read is None:
        array = features.array
        if isinstance(array, np.ndarray) and array.ndim == 4:
            if array.dtype != np.uint8 or not array.size:
                raise JaxgenError(
                    f"{called} of 4 axes must be pictures, uint8 and none empty, not {array.dtype} "
                    f"of shape {array.shape}; {advice}"
                )
        else:
            array = check_array(features.array, (2, 3), "f", called, advice)
            check_finite(array, called, advice)
            array = array.astype(np.float32, copy=False)
        features = dataclasses.replace(features, array=array)
        found = array.shape
    else:
        found = (*shape[:1], *np.shape(features.read(np.zeros(1, np.int64)))[1:])
    if found != shape or len(shape) not in (2, 3, 4):
        raise JaxgenError(
            f"{called} must have the shape of vectors (M, F), of tokens (M, L, F) or of pictures "
            f"(M, H, W, C) that they say, not {found} where they say {shape}; {advice}"
        )
    if features.are_pictures and shape[3] not in (1, 3):
        raise JaxgenError(f"{called} must be pictures of 1 or 3 channels, not {shape[3]}; {advice}")
    return features


def _expect(value: Any, kind: type, called: str, advice: str) -> None:
    if not isinstance(value, kind):
        raise JaxgenError(
            f"{called} must be a {kind.__name__}, not {type(value).__name__}; {advice}"
        )
