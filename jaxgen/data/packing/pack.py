"""Packs a folder of pictures into shards that are read at random, larger than memory or not.

    jaxgen pack PICTURES --out SET
    jaxgen train dcgan --data packed --data.dir SET --data.size 64 --workdir runs/p

A set holds the files of the pictures as they are, in an order that is random and always the same,
and `set.json`, which is written last. Packed twice, a folder gives the same bytes. While it is
packed each finished shard has a note of what it was made from (`.note-...`), so that packing that
was killed keeps those shards and makes the rest.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from jaxgen import settings
from jaxgen.data import output_folders
from jaxgen.data.packing.plan import PackConfig, Plan, planned
from jaxgen.data.packing.shards import NOTE, shard_of, writer_class
from jaxgen.data.streaming import packed_set, set_index
from jaxgen.data.streaming.set_index import SetIndex, Shard, shard_name
from jaxgen.display import progress
from jaxgen.display.replacing import PARTIAL
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.settings.memory import in_words

_TOLD = 5  # broken pictures reported one by one


def pack(config: PackConfig) -> list[str]:
    """Makes the set `config.out`, or what is missing of it.

    Returns:
        Sentences that say what is in it and what was left out.

    Raises:
        JaxgenError: a number is out of range, a file or folder is missing or unsound, `out` holds
            something else, or no picture can be read.
        OSError: a folder cannot be read or written.
    """
    _check(config)
    plan = planned(config)
    config.out.mkdir(exist_ok=True)
    if (config.out / set_index.NAME).exists():
        if set_index.read(config.out).source != plan.source:
            raise JaxgenError(
                f"{flag('out')} {config.out} is a set of other pictures; name a new or an empty "
                "folder"
            )
        packed_set.PackedSet.opened(config.out)  # it tells what is wrong with it
        output_folders.tidy(config.out, PARTIAL, NOTE)
        return [f"{config.out} was packed before, from the same pictures"]
    shards = len(plan.shards)
    ours = {shard_name(number, shards) for number in range(shards)}
    output_folders.refuse_foreign(config.out, ours, (PARTIAL, NOTE))
    output_folders.tidy(config.out, PARTIAL)
    index = SetIndex(plan.source, plan.classes, tuple(_shards(config, plan)))
    if not index.size:
        raise JaxgenError(f"no picture of {config.folder} can be read")
    set_index.write(config.out, index)
    output_folders.tidy(config.out, NOTE)
    return [*plan.notes, *_told(config, plan, index)]


def _check(config: PackConfig) -> None:
    settings.check(config)
    if not config.folder.is_dir():
        raise JaxgenError(f"{config.folder} is not a folder; give the one with the pictures")
    output_folders.check(config.out)
    writer_class()


def _shards(config: PackConfig, plan: Plan) -> Iterator[Shard]:
    """Each shard, as soon as it is on the disk."""
    told = 0
    with (
        warnings.catch_warnings(action="ignore"),  # Pillow's, about files that it can read
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress.bar(total=len(plan.names), desc="packing", unit="picture", delay=1) as done,
    ):
        for number in range(len(plan.shards)):
            shard, problems = shard_of(config, plan, number, pool, done.update)
            for problem in problems[: _TOLD - told]:
                print(f"skipped {problem}", file=sys.stderr)
            told = min(_TOLD, told + len(problems))
            yield shard


def _told(config: PackConfig, plan: Plan, index: SetIndex) -> Iterator[str]:
    left_out = sum(shard.left_out for shard in index.shards)
    if left_out:
        yield f"{left_out} of {len(plan.names)} pictures could not be used"
    captions = sum(shard.captions for shard in index.shards)
    about = f"{captions} captions" if plan.captions else f"{len(index.classes)} classes"
    size = in_words(sum(shard.size for shard in index.shards))
    yield f"{index.size} pictures, {about}, {size} in {len(index.shards)} shards, in {config.out}"
