"""Where a shard is damaged: the first record that is not as it was packed.

A file that was cut has lost the table at its end, without which the library opens nothing. So
records are looked for in the bytes themselves, which lie in blocks of 64 KiB with 24 bytes before
each (https://github.com/google/riegeli/blob/master/doc/riegeli_records_file_format.md).
"""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgen.data.streaming.records import MARK, PREFIX

_BLOCK, _BLOCK_HEADER = 2**16, 24


def first_lost(path: Path, size: int, shard: int, records: int) -> int | None:
    """The first record that the bytes of a shard do not hold.

    Args:
        path: of the file.
        size: bytes that it had when it was packed; no more are read.
        shard: its number.
        records: that it had.

    Returns:
        The number of the record; None if all are there.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        content = np.frombuffer(file.read(size), np.uint8)
    whole = len(content) // _BLOCK * _BLOCK
    blocks = content[:whole].reshape(-1, _BLOCK)[:, _BLOCK_HEADER:].tobytes()
    stream = blocks + content[whole + _BLOCK_HEADER :].tobytes()
    place = 0
    for row in range(records):
        start = stream.find(MARK + shard.to_bytes(4, "little") + row.to_bytes(4, "little"), place)
        if start < 0 or len(stream) < start + PREFIX.size:
            return row
        *_, body_size, checksum = PREFIX.unpack_from(stream, start)
        place = start + PREFIX.size + body_size
        body = memoryview(stream)[start + PREFIX.size : place]
        if len(body) != body_size or zlib.crc32(body) != checksum:
            return row
    return None


def first_unread(read: Callable[[int], object], records: int) -> int | None:
    """The first record that `read` raises at, anything; None if it reads all."""
    for row in range(records):
        try:
            read(row)
        except Exception:
            return row
    return None
