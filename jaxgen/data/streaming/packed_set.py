"""A packed set, opened: its examples at random, each held against its checksum as it is read.

    packed = PackedSet.opened(Path("SET"))
    for example in packed:
        example.name, example.picture, packed.classes[example.label], example.captions

K examples that are asked for.
"""

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgen.data import cache, ordinary_files
from jaxgen.data.streaming import damage, records, set_index
from jaxgen.data.streaming.records import Example
from jaxgen.data.streaming.set_index import SetIndex, Shard
from jaxgen.display import progress
from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened
from jaxgen.settings.memory import in_words
from jaxgen.settings.notes import note

INSTALL = "`pip install 'jaxgen[stream]'`"
MOST_HASHED = 64 * 2**30
"""Bytes of a set that are read once before its first use; of a larger one each record is checked
when it comes, as of any set."""
_MOST_TOGETHER = 128  # examples of one read
_BYTES_TOGETHER = 2**25  # of them, where they are of the set's mean size
_ADVICE = "pack the pictures again, or copy the set anew"


class _Part(NamedTuple):
    """The records of a file, as the library wants to be told of them."""

    filename: str
    skip: int
    take: int
    examples_in_shard: int


class PackedSet:
    """Examples of a folder that `jaxgen pack` made, read at random by any number of threads."""

    def __init__(self, folder: Path, index: SetIndex, source: Any) -> None:
        """Takes what `opened` found."""
        self._folder, self._index, self._source = folder, index, source
        counts = [len(shard.labels) for shard in index.shards]
        self._ends = np.cumsum(counts)
        self.classes = index.classes
        """Names of the classes."""
        self.label_N = np.concatenate([np.array(s.labels, np.int32) for s in index.shards])
        """The class of each example, int32 (N,)."""
        self.hashes = np.frombuffer(
            b"".join(bytes.fromhex(shard.sha256) for shard in index.shards), np.uint8
        )
        """SHA-256 of each file, uint8 (32 * files,)."""
        self.is_grey = all(shard.grey for shard in index.shards)
        """Whether every picture is grey."""

    @classmethod
    def opened(cls, folder: Path) -> "PackedSet":
        """Opens a set.

        The files are held against the sizes in the index and, at the first time or when one of
        them has changed, against their hashes.

        Args:
            folder: that `jaxgen pack` made.

        Raises:
            JaxgenError: it is no packed set, a file is missing, truncated or altered, or Grain is
                not installed.
        """
        index = set_index.read(folder)
        paths = _paths(folder, index)
        for number, shard in enumerate(index.shards):
            ordinary_files.check(paths[number], _ADVICE)
            if paths[number].stat().st_size != shard.size:
                _refuse(folder, index, number)
        _check_hashes(folder, index)
        return cls(folder, index, _source(paths, index))

    def __len__(self) -> int:
        return len(self.label_N)

    def __iter__(self) -> Iterator[Example]:
        return map(self.example, range(len(self)))

    @property
    def together(self) -> int:
        """How many examples are well read at once: ten times as fast as one by one where they are
        small, and not too many bytes where they are large."""
        size = sum(shard.size for shard in self._index.shards) // max(1, len(self))
        return max(1, min(_MOST_TOGETHER, _BYTES_TOGETHER // max(1, size)))

    def examples(self, places: Sequence[int]) -> list[Example]:
        """Examples in the order of their places.

        Raises:
            JaxgenError: a record is damaged.
            IndexError: there is no such example.
        """
        where = [self._found(place) for place in places]
        try:
            found = self._source.__getitems__(places)
            return [records.decoded(record, *one) for record, one in zip(found, where, strict=True)]
        except Exception:  # which of them it is, each by itself tells
            return [self.example(place) for place in places]

    def example(self, place: int) -> Example:
        """An example.

        Raises:
            JaxgenError: its record is damaged.
            IndexError: there is none.
        """
        shard, row = self._found(place)
        try:
            return records.decoded(self._source[place], shard, row)
        except Exception as error:  # a damaged file makes the library raise nearly anything
            reason = shortened(" ".join(str(error).split()), 200)
            raise JaxgenError(
                f"{self.named(place)} is damaged ({reason or type(error).__name__}); {_ADVICE}"
            ) from error

    def named(self, place: int) -> str:
        """The file and the record of an example, for messages."""
        shard, row = self._found(place)
        path = self._folder / set_index.shard_name(shard, len(self._index.shards))
        return f"{path} record {row} of {len(self._index.shards[shard].labels)}"

    def _found(self, place: int) -> tuple[int, int]:
        if not 0 <= place < len(self):
            raise IndexError(f"there are {len(self)} examples, and none at {place}")
        shard = int(np.searchsorted(self._ends, place, side="right"))
        return shard, int(place - (self._ends[shard - 1] if shard else 0))


def _paths(folder: Path, index: SetIndex) -> list[Path]:
    shards = len(index.shards)
    return [folder / set_index.shard_name(number, shards) for number in range(shards)]


def _source(paths: Sequence[Path], index: SetIndex) -> Any:
    """Grain's view of the files as one sequence of records."""
    try:
        with warnings.catch_warnings(action="ignore"):
            from grain.sources import ArrayRecordDataSource
    except ImportError as error:
        raise JaxgenError(f"packed sets are read by Grain ({error}); {INSTALL}") from error
    counts = [len(shard.labels) for shard in index.shards]
    parts: Any = [_Part(str(path), 0, n, n) for path, n in zip(paths, counts, strict=True)]
    return ArrayRecordDataSource(parts)


def _check_hashes(folder: Path, index: SetIndex) -> None:
    paths = _paths(folder, index)
    total = sum(shard.size for shard in index.shards)
    if total > MOST_HASHED:
        note(f"{folder} has {in_words(total)}: each record is checked when it is read, not before")
        return
    place = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    times = [path.stat().st_mtime_ns for path in paths]
    state = [(shard.sha256, time) for shard, time in zip(index.shards, times, strict=True)]
    fingerprint = hashlib.sha256(cache.FORMAT + repr(state).encode()).hexdigest()

    def check() -> dict[str, np.ndarray]:
        with (
            ThreadPoolExecutor(os.cpu_count()) as pool,
            progress.bar(total=len(paths), desc="checking shards", unit="shard", delay=1) as done,
        ):
            for number, is_sound in enumerate(pool.map(_is_sound, paths, index.shards)):
                if not is_sound:
                    pool.shutdown(cancel_futures=True)
                    _refuse(folder, index, number)
                done.update()
        return {"sound": np.array(True)}

    cache.kept(f"packed-{place}", fingerprint, check)


def _is_sound(path: Path, shard: Shard) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256


def _refuse(folder: Path, index: SetIndex, number: int) -> None:
    """Raises the sentence about a shard that is not as it was packed."""
    path, shard = _paths(folder, index)[number], index.shards[number]
    found, count = path.stat().st_size, len(shard.labels)
    lost = damage.first_lost(path, shard.size, number, count)
    if lost is None and found == shard.size:
        part = PackedSet(folder, index, _source(_paths(folder, index), index))
        first = sum(len(shard.labels) for shard in index.shards[:number])
        lost = damage.first_unread(lambda row: part.example(first + row), count)
    if found < shard.size:
        where = (
            f"after its {count} records" if lost is None else f"from record {lost} of {count} on"
        )
        raise JaxgenError(f"{path} is truncated {where} ({found} of {shard.size} bytes); {_ADVICE}")
    where = f"beside its {count} records" if lost is None else f"at record {lost} of {count}"
    how = f"{found} bytes, not {shard.size}" if found > shard.size else "its SHA-256 is another"
    raise JaxgenError(f"{path} is altered {where} ({how}); {_ADVICE}")
