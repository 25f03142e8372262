"""The form of a record, which sets that were packed before rely on."""

import struct
import zlib

import pytest

from jaxgen.data.streaming.records import Damaged, Example, decoded, encoded

EXAMPLE = Example("cats/1.png", b"\x89PNG and so on", 3, ("A cat.", "\u00c9l\u00e9phant"))


def test_a_record_has_the_bytes_that_the_module_tells():
    header = b'{"label": 1, "name": "a.png"}'
    body = struct.pack("<I", len(header)) + header + b"picture"
    expected = b"JGP1" + struct.pack("<IIII", 5, 7, len(body), zlib.crc32(body)) + body
    assert encoded(Example("a.png", b"picture", 1), 5, 7) == expected


@pytest.mark.parametrize("example", [EXAMPLE, Example("a", b""), Example("\udcff.png", b"x", 9)])
def test_what_is_encoded_is_decoded(example):
    assert decoded(encoded(example, 2, 4), 2, 4) == example


def test_another_place_and_every_flipped_bit_are_damage():
    record = encoded(EXAMPLE, 2, 4)
    for shard, row in ((2, 5), (3, 4)):
        with pytest.raises(Damaged, match="another one is in its place"):
            decoded(record, shard, row)
    for place in range(len(record)):
        damaged = bytearray(record)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(Damaged):
            decoded(bytes(damaged), 2, 4)
    for size in range(len(record)):
        with pytest.raises(Damaged):
            decoded(record[:size], 2, 4)


@pytest.mark.parametrize("header", [b"[]", b"{}", b"not JSON", b"\xff", b"[" * 100_000, b"7"])
def test_a_header_of_another_form_is_damage(header):
    body = struct.pack("<I", len(header)) + header
    record = b"JGP1" + struct.pack("<IIII", 0, 0, len(body), zlib.crc32(body)) + body
    with pytest.raises(Damaged, match="its header is of another form"):
        decoded(record, 0, 0)
