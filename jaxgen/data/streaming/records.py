"""A record of a packed set: the file of a picture as it was, with its class or its captions.

    4 bytes  b"JGP1"
    4 bytes  number of the shard
    4 bytes  number of the record in its shard
    4 bytes  size of the body
    4 bytes  CRC-32 of the body
    body     4 bytes size of the header; the header, JSON in UTF-8: "name" and "label", and
             "captions" where the set has any; then the bytes of the picture's file

All numbers are unsigned, the lowest byte first.
"""

import json
import struct
import zlib
from dataclasses import dataclass

MARK = b"JGP1"
PREFIX = struct.Struct("<4sIIII")
"""Mark, shard, row, size and CRC-32 of the body."""
_HEADER_SIZE = struct.Struct("<I")


class Damaged(Exception):
    """A record is not what was packed; the message says how, a clause."""


@dataclass(frozen=True)
class Example:
    """A picture of a packed set."""

    name: str
    """Its path in the folder that was packed, with `/` between the parts."""
    picture: bytes
    """Its file: PNG, JPEG, ..."""
    label: int = 0
    """Its class, a place in the names of the set's classes."""
    captions: tuple[str, ...] = ()
    """As they were given."""


def encoded(example: Example, shard: int, row: int) -> bytes:
    """The record of an example, the `row`-th of a shard; the same for the same example."""
    told = {"name": example.name, "label": example.label}
    if example.captions:
        told["captions"] = list(example.captions)
    header = json.dumps(told, sort_keys=True).encode()
    body = _HEADER_SIZE.pack(len(header)) + header + example.picture
    return PREFIX.pack(MARK, shard, row, len(body), zlib.crc32(body)) + body


def decoded(record: bytes, shard: int, row: int) -> Example:
    """The example of a record.

    Raises:
        Damaged: it is not the `row`-th of the shard as it was packed.
    """
    if len(record) < PREFIX.size + _HEADER_SIZE.size:
        raise Damaged(f"it has {len(record)} bytes")
    mark, *place, size, checksum = PREFIX.unpack_from(record)
    body = memoryview(record)[PREFIX.size :]
    if mark != MARK or place != [shard, row]:
        raise Damaged("another one is in its place")
    if size != len(body) or zlib.crc32(body) != checksum:
        raise Damaged("its checksum does not hold")
    (header_size,) = _HEADER_SIZE.unpack_from(body)
    start = _HEADER_SIZE.size + header_size
    try:
        told = json.loads(bytes(body[_HEADER_SIZE.size : start]))
        name, label, captions = told["name"], told["label"], told.get("captions", [])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(f"its header is of another form ({type(error).__name__})") from error
    return Example(name, bytes(body[start:]), label, tuple(captions))
