"""Which images are trained on and which are held out, where a file or lists of images say so."""

import posixpath
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jaxgen.data import ordinary_files
from jaxgen.data.captions.caption_sets import Captioned
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, shortened

_MEANING = {"train": "train", "restval": "restval", "val": "val", "validation": "val"}
_MEANING |= {"dev": "val", "valid": "val", "test": "test"}
_MOST_BYTES = 2**26  # of a list of images


def of_file(images: Sequence[Captioned], held_out: str, restval: bool) -> dict[str, str]:
    """What the file of captions says of its images, by the image's name.

    Args:
        images: of the file.
        held_out: the split that is held out, val or test.
        restval: train on the split restval too.

    Returns:
        "train" or "validation" of those that are used; empty if the file names no splits.

    Raises:
        JaxgenError: a split has another name, some images have none, or one of the two is empty.
    """
    if all(image.split is None for image in images):
        return {}
    used: dict[str, str] = {}
    for image in images:
        split = _MEANING.get((image.split or "").lower())
        if split is None:
            raise JaxgenError(
                f"the image {shortened(repr(image.name), 200)} is of the split {image.split!r}; "
                f"there are {', '.join(_MEANING)}"
            )
        if split == "train" or (split == "restval" and restval):
            used[image.name or ""] = "train"
        elif split == held_out:
            used[image.name or ""] = "validation"
    counts = Counter(used.values())
    if len(counts) < 2:
        raise JaxgenError(
            f"the file of captions has {counts['train']} images to train on and "
            f"{counts['validation']} of the split {held_out!r}; {flag('held_out')} names another"
        )
    return used


def of_two(train: Sequence[Captioned], validation: Sequence[Captioned]) -> dict[str, str]:
    """The splits of two files of captions, by the image's name.

    Raises:
        JaxgenError: an image is in both.
    """
    used = {image.name or "": "train" for image in train}
    for image in validation:
        if used.setdefault(image.name or "", "validation") == "train":
            raise JaxgenError(
                f"the image {shortened(repr(image.name), 200)} is in both files of captions; each "
                "must have its own"
            )
    return used


def of_lists(train: Path | None, validation: Path | None) -> dict[str, str]:
    """What two lists say, files with the name of an image in each line.

    Returns:
        "train" or "validation" for each name; empty if no lists are given.

    Raises:
        JaxgenError: one list is missing, is empty, or has an image of the other.
    """
    if train is None and validation is None:
        return {}
    if train is None or validation is None:
        raise JaxgenError(
            f"give both lists of images, {flag('train_list')} and {flag('validation_list')}"
        )
    used: dict[str, str] = {}
    for path, split in ((train, "train"), (validation, "validation")):
        text = ordinary_files.text(path, "give a list of images, one a line", _MOST_BYTES)
        names = [posixpath.normpath(line.strip()) for line in text.splitlines() if line.strip()]
        if not names:
            raise JaxgenError(f"{path} lists no images")
        for name in names:
            if used.setdefault(name, split) != split:
                raise JaxgenError(f"{shortened(repr(name), 200)} is in both {train} and {path}")
    return used


def in_folder(mentioned: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Pictures of a folder by what a file calls them.

    A file may leave out folders that come first, or name more of them: where no picture has the
    path that it gives, the one picture is meant whose path ends in it, or which it ends in.

    Args:
        mentioned: paths in the file.
        names: of the pictures, paths from the folder on.

    Returns:
        {path in the file: name} of those that are there.
    """
    there = set(names)
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(posixpath.basename(name), []).append(name)
    called: dict[str, str] = {}
    for path in mentioned:
        found = [
            name
            for name in alike.get(posixpath.basename(path), [])
            if name.endswith(f"/{path}") or path.endswith(f"/{name}")
        ]
        if path in there:
            called[path] = path
        elif len(found) == 1:
            called[path] = found[0]
    return called
