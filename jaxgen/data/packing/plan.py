"""What is to be packed, and into which shards: the same for the same files.

N pictures.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from jaxgen.data import picture_files, picture_folders
from jaxgen.data.captions import caption_files
from jaxgen.data.streaming import set_index
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting

_VERSION = "1"  # raise it when the same files yield other bytes
_MEGABYTE = 10**6


@dataclass(frozen=True)
class PackConfig:
    """Pack a folder of pictures into a set that `--data packed` trains on."""

    folder: Path
    """Folder of pictures (PNG, JPEG, ...): it holds pictures, or sub-folders with pictures in or
    below them, each a class in the order of their names."""

    out: Path
    """Folder to make; one in which packing was stopped goes on."""

    captions: Path | None = None
    """CSV with the columns image and caption, or JSON, as `jaxgen captions build` takes it; then
    sub-folders are no classes, and pictures without a caption are left out."""

    shard_mb: int = setting(256, least=1, most=4096)
    """Megabytes of pictures in a shard, more where there would be over 512 shards."""


@dataclass(frozen=True)
class Plan:
    """What is to be packed, before any picture is opened: the same for the same files."""

    names: tuple[str, ...]
    """In the order of the records."""
    sizes: tuple[int, ...]
    label_N: np.ndarray
    captions: Mapping[str, Sequence[str]]
    classes: tuple[str, ...]
    shards: tuple[range, ...]
    """Places in `names`."""
    source: str
    notes: tuple[str, ...]


def planned(config: PackConfig) -> Plan:
    """Looks at the folder and the captions.

    Raises:
        JaxgenError: there is nothing to pack, or too much of it.
        OSError: a folder cannot be read.
    """
    notes: list[str] = []
    captions: dict[str, list[str]] = {}
    if config.captions is None:
        classes = picture_folders.classes(config.folder)
        paths = [path for members in classes.values() for path in members]
        label_N = np.repeat(np.arange(len(classes), dtype=np.int32), [*map(len, classes.values())])
    else:
        classes, paths = {"": ()}, picture_files.find(config.folder)
        captions, notes = _captions(config.captions, config.folder, paths)
        paths = [path for path in paths if _name(path, config.folder) in captions]
        label_N = np.zeros(len(paths), np.int32)
    if len(paths) > set_index.MOST_RECORDS:
        raise JaxgenError(
            f"{config.folder} has {len(paths)} pictures, more than the {set_index.MOST_RECORDS} of "
            "a set; pack parts of it"
        )
    order_N = np.random.default_rng(0).permutation(len(paths))  # as `--data pictures` has them
    names = tuple(_name(paths[place], config.folder) for place in order_N)
    sizes = tuple(_size(config.folder / name) for name in names)
    shards = _divided(sizes, config.shard_mb * _MEGABYTE)
    told = [_VERSION, list(classes), captions, [len(places) for places in shards]]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name, size, label in zip(names, sizes, label_N[order_N], strict=True):
        digest.update(f"{name}\0{size}\0{label}\n".encode(errors="surrogateescape"))
    return Plan(
        names, sizes, label_N[order_N], captions, tuple(classes), shards, digest.hexdigest(),
        tuple(notes),
    )  # fmt: skip


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # such as a link to nowhere: reported with the broken pictures
        return -1


def _captions(
    file: Path, folder: Path, paths: Sequence[Path]
) -> tuple[dict[str, list[str]], list[str]]:
    """Captions by the name of the picture, and what was left out."""
    names = {_name(path, folder) for path in paths}
    found: dict[str, list[str]] = {}
    unknown = 0
    for name, caption in caption_files.read(file):
        if name not in names:
            unknown += 1
        elif caption.strip():
            found.setdefault(name, []).append(caption.strip())
    if not found:
        raise JaxgenError(
            f"no caption of {file} is about a picture of {folder}; an image is named by its path "
            f"from the folder on, such as {min(names, default='image.png')!r}"
        )
    notes = [
        (unknown, "captions left out: no such picture"),
        (len(names) - len(found), "pictures left out: they have no caption"),
    ]
    return found, [f"{count} {what}" for count, what in notes if count]


def _divided(sizes: Sequence[int], shard_bytes: int) -> tuple[range, ...]:
    """Equal numbers of pictures for each shard, of about as many bytes as are asked for."""
    total, count = sum(max(0, size) for size in sizes), len(sizes)
    shards = min(max(1, -(-total // shard_bytes)), set_index.MOST_SHARDS, count)
    ends = [count * number // shards for number in range(shards + 1)]
    return tuple(range(start, stop) for start, stop in pairwise(ends))
