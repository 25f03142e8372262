"""Writing one shard of a set, or finding that it was written before."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jaxgen.data import ordinary_files, picture_files, sealing
from jaxgen.data.packing.plan import PackConfig, Plan
from jaxgen.data.streaming import damage, packed_set, records, set_index
from jaxgen.data.streaming.records import Example
from jaxgen.data.streaming.set_index import Shard, shard_name
from jaxgen.display.replacing import replacing
from jaxgen.errors import JaxgenError

NOTE = ".note-"
"""What the names of notes on finished shards begin with."""
_BLOCK = 64  # pictures handed to the threads at a time
_MOST_IN_THREADS = 4 * 2**20  # bytes of a file; larger ones come one at a time
_OPTIONS = "group_size:1,uncompressed,max_parallelism:1"  # pictures are compressed already


def shard_of(
    config: PackConfig, plan: Plan, number: int, pool: ThreadPoolExecutor
) -> tuple[Shard, list[str]]:
    """A shard that is on the disk: from before, or written now.

    Args:
        config: what to pack.
        plan: its order.
        number: of the shard.
        pool: threads that open pictures.

    Returns:
        What is in it; and a sentence for each picture that was found broken now.

    Raises:
        JaxgenError: array_record is not installed.
        OSError: it cannot be written.
    """
    path = config.out / shard_name(number, len(plan.shards))
    note = path.with_name(f"{NOTE}{path.name}")
    made_from = _made_from(config, plan, number)
    shard = _finished(path, note, made_from, len(plan.classes))
    if shard is not None:
        return shard, []
    shard, problems = _written(config, plan, number, pool)
    told = {"made_from": made_from, "shard": asdict(shard)}
    with replacing(note) as temporary:
        temporary.write_text(json.dumps(sealing.sealed(told)))
    return shard, problems


def _made_from(config: PackConfig, plan: Plan, number: int) -> str:
    """A hash that changes with any file of a shard; times are in it, so that edits are seen."""
    digest = hashlib.sha256(f"{plan.source}\0{number}\n".encode())
    for place in plan.shards[number]:
        with suppress(OSError):
            time = (config.folder / plan.names[place]).stat().st_mtime_ns
            digest.update(f"{place}\0{time}\n".encode())
    return digest.hexdigest()


def _finished(path: Path, note: Path, made_from: str, classes: int) -> Shard | None:
    """A shard that an earlier process finished; None if it has to be made."""
    try:
        told = json.loads(ordinary_files.text(note, ""))
        if "sha256" not in told or sealing.is_broken(told) or told["made_from"] != made_from:
            return None
        shard = set_index.shard_of_json(told["shard"], classes)
        ordinary_files.check(path, "")
        is_sound = path.stat().st_size == shard.size and _sha256(path) == shard.sha256
    except (JaxgenError, OSError, LookupError, TypeError, ValueError, RecursionError):
        return None
    return shard if is_sound else None


def _written(
    config: PackConfig, plan: Plan, number: int, pool: ThreadPoolExecutor
) -> tuple[Shard, list[str]]:
    path = config.out / shard_name(number, len(plan.shards))
    labels, problems, grey, captions = [], [], True, 0
    with replacing(path) as temporary:
        with _refusals(path):
            writer = writer_class()(str(temporary), _OPTIONS)
        try:
            for place, found in _contents(config, plan, plan.shards[number], pool):
                if isinstance(found, str):
                    problems.append(found)
                    continue
                content, is_grey = found
                name, label = plan.names[place], int(plan.label_N[place])
                example = Example(name, content, label, tuple(plan.captions.get(name, ())))
                with _refusals(path):
                    writer.write(records.encoded(example, number, len(labels)))
                labels.append(label)
                grey, captions = grey and is_grey, captions + len(example.captions)
        finally:
            with _refusals(path):
                writer.close()
        size = temporary.stat().st_size
        # The library may be silent about a disk that took less than it was given.
        if damage.first_lost(temporary, size, number, len(labels)) is not None:
            raise OSError(errno.EIO, "what was written cannot be read back", str(path))
        sha256 = _sha256(temporary)
    return Shard(size, sha256, tuple(labels), grey, captions, len(problems)), problems


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """The library's own exceptions, as those of the system."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        told = " ".join(str(error).split())
        full = os.strerror(errno.ENOSPC)
        number, words = (errno.ENOSPC, full) if full in told else (errno.EIO, told)
        raise OSError(number, words, str(path)) from error


def _contents(
    config: PackConfig, plan: Plan, places: range, pool: ThreadPoolExecutor
) -> Iterator[tuple[int, tuple[bytes, bool] | str]]:
    """Each picture's file and whether it is grey, or a sentence about one that is broken."""

    def attempt(place: int, most: int) -> tuple[bytes, bool] | str:
        path = config.folder / plan.names[place]
        try:
            if most < picture_files.MOST_PIXELS and plan.sizes[place] > _MOST_IN_THREADS:
                raise picture_files.Large
            return picture_files.checked(path, most)
        except picture_files.Large:
            raise
        except Exception as error:  # foreign files make decoders raise nearly anything
            return picture_files.problem(path, error)

    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        yield from zip(block, picture_files.in_threads(pool, attempt, block), strict=True)


def writer_class() -> Any:
    """The class that writes shards.

    Raises:
        JaxgenError: array_record is not installed.
    """
    try:
        from array_record.python import array_record_module  # type: ignore[attr-defined]
    except ImportError as error:
        raise JaxgenError(
            f"shards are written by array_record ({error}); {packed_set.INSTALL}"
        ) from error
    return array_record_module.ArrayRecordWriter


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
