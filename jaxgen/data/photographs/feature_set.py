"""Sets of features on disk, as `jaxgen features` writes them: shards, and what is in them.

A folder holds `features-00000-of-00003.npz` and so on, each with the array `vector` (n, F) float32
and, where a grid was asked for, `grid` (n, L, C) float16; and `features.json`, which is written
last: which encoder made them, and of each shard its size, its SHA-256, the names of its pictures in
the order of the rows, and those left out with what is wrong with them.
"""

import dataclasses
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen import settings
from jaxgen.data import ordinary_files, sealing
from jaxgen.data.photographs.encoding import Features
from jaxgen.data.photographs.identity import EncoderIdentity
from jaxgen.display.replacing import replacing
from jaxgen.errors import JaxgenError

NAME = "features.json"
FORMAT = 1
MOST_SHARD = 2**33
"""Bytes of a shard."""
MOST_INDEX = 2**30
"""Bytes of `features.json`: the names of several million pictures."""
_ADVICE = "compute the features again"


@dataclass(frozen=True)
class Shard:
    """What is in one file of a set."""

    size: int
    sha256: str
    names: tuple[str, ...]
    """Of its pictures, from their folder on, in the order of the rows."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Names of pictures that could not be read, and why."""


@dataclass(frozen=True)
class FeatureSet:
    """A set of features, of which the arrays are still on the disk."""

    folder: Path
    encoder: EncoderIdentity
    grid: bool
    """Whether it has features of regions."""
    source: str
    """A hash of what it was made from."""
    shards: tuple[Shard, ...]

    @property
    def names(self) -> list[str]:
        """Of its pictures, in the order of the rows."""
        return [name for shard in self.shards for name in shard.names]

    def read(self) -> Iterator[tuple[int, Features]]:
        """The features shard by shard, each with the number of its first row.

        Raises:
            JaxgenError: a shard is missing, or not as it was written.
        """
        start = 0
        for number, shard in enumerate(self.shards):
            path = self.folder / shard_name(number, len(self.shards))
            contents = ordinary_files.contents(path, _ADVICE, MOST_SHARD)
            if len(contents) != shard.size or hashlib.sha256(contents).hexdigest() != shard.sha256:
                raise JaxgenError(
                    f"{path} is damaged: its checksum is not that of {NAME}; repeat "
                    "`jaxgen features`, which computes it anew"
                )
            with np.load(io.BytesIO(contents), allow_pickle=False) as file:
                yield start, Features(file["vector"], file["grid"] if self.grid else None)
            start += len(shard.names)


def shard_name(number: int, shards: int) -> str:
    """The file of a shard."""
    return f"features-{number:05d}-of-{shards:05d}.npz"


def write(found: FeatureSet) -> None:
    """Writes `features.json`, which makes a folder of shards a set.

    Raises:
        OSError: it cannot be written.
    """
    told = {
        "format": FORMAT,
        "encoder": dataclasses.asdict(found.encoder),
        "grid": found.grid,
        "source": found.source,
        "shards": [dataclasses.asdict(shard) for shard in found.shards],
    }
    with replacing(found.folder / NAME) as temporary:
        temporary.write_text(json.dumps(sealing.sealed(json.loads(json.dumps(told)))))


def read(folder: Path) -> FeatureSet:
    """Reads what is in a set; its arrays are read by `FeatureSet.read`.

    Raises:
        JaxgenError: it is no set of features, of another format, or not as it was written.
    """
    path = folder / NAME
    text = ordinary_files.text(path, "give a folder that `jaxgen features` made", MOST_INDEX)
    try:
        told = json.loads(text)
        if "sha256" not in told or sealing.is_broken(told):
            raise ValueError("its checksum does not match")
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']!r}, and this jaxgen reads {FORMAT}")
        encoder = EncoderIdentity.of_json(told["encoder"])
        shards = tuple(shard_of_json(entry) for entry in told["shards"])
        found = FeatureSet(folder, encoder, bool(told["grid"]), str(told["source"]), shards)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = settings.shortened(" ".join(str(error).split()), 200)
        raise JaxgenError(f"{path} is not as it was written ({reason}); {_ADVICE}") from error
    if not found.names:
        raise JaxgenError(f"{path} has no picture; {_ADVICE}")
    return found


def shard_of_json(value: Any) -> Shard:
    """The inverse of `dataclasses.asdict`.

    Raises:
        LookupError, TypeError, ValueError: it is something else.
    """
    names = tuple(map(str, value["names"]))
    left_out = tuple((str(name), str(reason)) for name, reason in value["left_out"])
    return Shard(int(value["size"]), str(value["sha256"]), names, left_out)
