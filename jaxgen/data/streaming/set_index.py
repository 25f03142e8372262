"""`set.json`, which says what is in a packed set: classes, shards and their hashes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxgen.data import ordinary_files
from jaxgen.data.sealing import is_broken, sealed
from jaxgen.display.replacing import replacing
from jaxgen.errors import JaxgenError

NAME = "set.json"
FORMAT = 1
MOST_SHARDS = 512
"""Each is an open file while a set is read, of the 1,024 that a process usually may have."""
MOST_RECORDS = 2**24
"""Whose classes still fit into an index that is read: more than the 14 million of ImageNet-21k."""
_ADVICE = "pack the pictures again, or copy the set anew"


@dataclass(frozen=True)
class Shard:
    """What the index says of a shard."""

    size: int
    """Bytes of the file."""
    sha256: str
    labels: tuple[int, ...]
    """The class of each record."""
    grey: bool
    """Whether every picture is."""
    captions: int
    left_out: int
    """Broken pictures that have no record."""


@dataclass(frozen=True)
class SetIndex:
    """What is in a packed set."""

    source: str
    """A hash of the names and sizes of the files that were packed, and of how they were."""
    classes: tuple[str, ...]
    """Names of sub-folders; a single "" where there were none."""
    shards: tuple[Shard, ...]

    @property
    def size(self) -> int:
        """Records of all shards."""
        return sum(len(shard.labels) for shard in self.shards)


def shard_name(number: int, shards: int) -> str:
    """The name of a shard's file."""
    return f"part-{number:05}-of-{shards:05}.array_record"


def write(folder: Path, index: SetIndex) -> None:
    """Writes the index; a set is whole once it is there.

    Raises:
        OSError: the folder cannot be written.
    """
    with replacing(folder / NAME) as temporary:
        temporary.write_text(
            json.dumps(sealed({"format": FORMAT, **asdict(index)}), separators=(",", ":"))
        )


def read(folder: Path) -> SetIndex:
    """Reads the index.

    Raises:
        JaxgenError: the folder is no packed set or was not packed to its end, or the index is
            damaged or of a later form.
    """
    path = folder / NAME
    if not path.exists() and folder.is_dir():
        raise JaxgenError(
            f"{folder} is no packed set, or one that was never finished: it has no {NAME}; "
            "`jaxgen pack FOLDER --out SET` makes one, and goes on where it was stopped"
        )
    text = ordinary_files.text(path, _ADVICE)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JaxgenError(f"{path} is damaged (it is not JSON); {_ADVICE}") from error
    if not isinstance(told, dict) or "sha256" not in told or is_broken(told):
        raise JaxgenError(f"{path} is damaged (its checksum does not hold); {_ADVICE}")
    if told.get("format") != FORMAT:
        raise JaxgenError(
            f"{path} has format {told.get('format')!r}, and this version of jaxgen reads {FORMAT}; "
            "install the version that packed it, or pack the pictures again"
        )
    try:
        index = _of_json(told)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise JaxgenError(
            f"{path} is damaged ({type(error).__name__} in its entries); {_ADVICE}"
        ) from error
    if not 0 < index.size <= MOST_RECORDS or len(index.shards) > MOST_SHARDS:
        raise JaxgenError(
            f"{path} announces {index.size} pictures in {len(index.shards)} shards; {_ADVICE}"
        )
    return index


def _of_json(told: Mapping[str, Any]) -> SetIndex:
    classes = tuple(str(name) for name in told["classes"])
    shards = tuple(shard_of_json(shard, len(classes)) for shard in told["shards"])
    return SetIndex(str(told["source"]), classes, shards)


def shard_of_json(told: Mapping[str, Any], classes: int) -> Shard:
    """What `asdict` made of a shard.

    Raises:
        KeyError, TypeError, ValueError: it made something else, or a label is no class.
    """
    labels = tuple(int(label) for label in told["labels"])
    if labels and not 0 <= min(labels) <= max(labels) < classes:
        raise ValueError("a label is no class")
    return Shard(
        size=int(told["size"]),
        sha256=str(told["sha256"]),
        labels=labels,
        grey=bool(told["grey"]),
        captions=int(told["captions"]),
        left_out=int(told["left_out"]),
    )
