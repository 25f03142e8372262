"""Captions that a captioner made beside those that people wrote of the same images."""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxgen.data.captions.caption_sets import Captioned, CaptionSet
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, shortened

Missing = Literal["refuse", "skip", "empty"]


@dataclass(frozen=True)
class Pairs:
    """N images with a caption and references each, in the order of the references' file."""

    made: list[str]
    references: list[list[str]]
    left_out: int
    """Captions and images that have no counterpart, and are not measured."""
    notes: list[str]


def of_split(references: CaptionSet, split: str, path: Path) -> list[Captioned]:
    """Images of a file that have captions: of one split, or all.

    Args:
        references: the file's.
        split: its name, or "" for all.
        path: of the file, for messages.

    Raises:
        JaxgenError: there is no such split, or no image of it has a caption.
    """
    chosen = [image for image in references.images if not split or image.split == split]
    if split and not chosen:
        known = sorted({image.split for image in references.images if image.split})
        raise JaxgenError(
            f"{path} has no image of the split {split!r}; "
            f"{'it has ' + ', '.join(known) if known else 'it names no splits'}"
        )
    found = [image for image in chosen if image.captions]
    if not found:
        raise JaxgenError(f"no image of {path} has a caption")
    return found


def paired(
    captions: CaptionSet, images: Sequence[Captioned], missing: Missing, path: Path
) -> Pairs:
    """Pairs the captions of a file with images that have references.

    An image is found by its id, or by its file: the whole path, or its last part where no other
    image has it.

    Args:
        captions: one for each image.
        images: with their references.
        missing: what is done with images without a caption, and captions of no such image: refuse;
            skip, which leaves both out; empty, which measures an image without a caption as an
            empty one and leaves out captions of no such image.
        path: of the captions, for messages.

    Raises:
        JaxgenError: an image has several captions, none can be paired, or `missing` refuses.
    """
    place_of = _places(images)
    made: dict[int, str] = {}
    unknown = list(captions.homeless)
    for image in captions.images:
        called = shortened(repr(image.id if image.name is None else image.name), 200)
        if len(image.captions) > 1:
            raise JaxgenError(
                f"{path} has {len(image.captions)} captions of the image {called}; give one for "
                "each"
            )
        place = next((place_of[key] for key in _keys(image) if key in place_of), None)
        if place is None:
            unknown += [called] * len(image.captions)
        elif place in made:
            raise JaxgenError(f"{path} has two captions of the image {called}; give one for each")
        elif image.captions:
            made[place] = image.captions[0]
    silent = [place for place in range(len(images)) if place not in made]
    if not made:
        raise JaxgenError(
            f"no caption of {path} is of an image that has references ({unknown[0]}, for one); "
            "they must have the same ids or files"
        )
    amiss = []
    if silent:
        image = images[silent[0]]
        called = shortened(repr(image.name if image.id is None else image.id), 200)
        amiss.append(f"{len(silent)} of {len(images)} images have no caption ({called}, for one)")
    if unknown:
        amiss.append(
            f"{len(unknown)} captions are of images without references ({unknown[0]}, for one)"
        )
    if amiss and missing == "refuse":
        raise JaxgenError(
            f"{path}: {' and '.join(amiss)}; {flag('missing')} skip leaves them out, and empty "
            "measures empty captions for such images"
        )
    kept = [place for place in range(len(images)) if place in made or missing == "empty"]
    how = "are measured as empty" if missing == "empty" else "are left out"
    return Pairs(
        [made.get(place, "") for place in kept],
        [images[place].captions for place in kept],
        len(images) - len(kept) + len(unknown),
        [f"{what}; they {how if 'have no' in what else 'are left out'}" for what in amiss],
    )


def training_captions(found: CaptionSet) -> list[str]:
    """All captions of a file, or where it names splits those of train and restval."""
    has_splits = any(image.split for image in found.images)
    return [
        caption
        for image in found.images
        if not has_splits or image.split in ("train", "restval")
        for caption in image.captions
    ]


def _places(images: Sequence[Captioned]) -> dict[tuple[str, str], int]:
    """Where images are, by each of their keys that no other image has."""
    places: dict[tuple[str, str], int] = {}
    shared = set()
    for place, image in enumerate(images):
        for key in _keys(image):
            if places.setdefault(key, place) != place:
                shared.add(key)
    return {key: place for key, place in places.items() if key not in shared}


def _keys(image: Captioned) -> Iterator[tuple[str, str]]:
    """What may tell an image from others, the surest first."""
    if image.id is not None:
        yield "id", str(image.id)
    name = image.name if image.name is not None else image.id
    if isinstance(name, str):  # the id of a result may be a file's name
        yield "file", posixpath.normpath(name)
        yield "last part", posixpath.basename(posixpath.normpath(name))
