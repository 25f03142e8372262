"""Folders of pictures, whose sub-folders are classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxgen.data import picture_files
from jaxgen.errors import JaxgenError


def classes(directory: Path) -> Mapping[str, Sequence[Path]]:
    """The pictures of each class.

    Args:
        directory: it holds pictures, or sub-folders with pictures in or below them.

    Returns:
        Sorted paths by the name of the sub-folder, in the order of the names; "" is the folder
        itself.

    Raises:
        JaxgenError: it has no pictures, or both pictures and sub-folders of pictures.
        OSError: a folder cannot be read.
    """
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
