"""Damaged forms of a file: what disks, copies that broke off, editors and other programs make."""

import contextlib
import copy
import gzip
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Chance = np.random.Generator
Change = Callable[[bytes, bytes, Chance], bytes]

NUMBERS = (0, 1, -1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**400, 1e308, float("inf"), float("nan")),
    *("", " ", "\n", "\0", "\ud800", "a/../b", "x" * 5000, "1" * 5000, "1e999", "\u0661"),
    *([], [[]], {}, {"": None}),
)


def mutant(kind: str, sound: bytes, other: bytes, chance: Chance) -> bytes:
    """A damaged form of a file.

    Args:
        kind: "json", "lines", "gzip" or "png" has forms of its own; anything else has bytes.
        sound: what the file held.
        other: another file's contents, of which a part may come in.
        chance: decides.
    """
    if kind in _STRUCTURED and chance.random() < 0.6:
        return _STRUCTURED[kind](sound, other, chance)
    return _bytes(sound, other, chance)


def special(path: Path, chance: Chance) -> None:
    """Something that is no file in the place of one, or a huge one."""
    kind = chance.integers(8)
    if kind >= 6:  # zeros to the end, which take no room on the disk
        os.truncate(path, 2**27 if kind == 6 else 2**32)
        return
    path.unlink()
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.mkdir()
    elif kind == 2:
        path.symlink_to("/dev/zero")
    elif kind == 3:
        path.symlink_to(path.name)
    elif kind == 4:
        path.write_bytes(b"")
    # Or it is gone.


def _bytes(sound: bytes, other: bytes, chance: Chance) -> bytes:
    found = sound
    for _ in range(1 + int(chance.integers(3) * chance.integers(2))):
        change = _CHANGES[chance.integers(len(_CHANGES))]
        found = change(found, other, chance) if found else found
    return found


def _place(content: bytes, chance: Chance) -> int:
    """A place in it; headers are damaged more often, since that is where the traps are."""
    end = min(len(content), 512) if chance.random() < 0.4 else len(content)
    return int(chance.integers(max(1, end)))


def _span(content: bytes, chance: Chance) -> tuple[int, int]:
    start = _place(content, chance)
    return start, min(len(content), start + int(2 ** chance.integers(0, 11)))


def _flip(content: bytes, other: bytes, chance: Chance) -> bytes:
    found = bytearray(content)
    for _ in range(int(2 ** chance.integers(0, 4))):
        found[_place(content, chance)] ^= 1 << int(chance.integers(8))
    return bytes(found)


def _cut(content: bytes, other: bytes, chance: Chance) -> bytes:
    return content[: int(chance.integers(len(content)))]


def _zeros(content: bytes, other: bytes, chance: Chance) -> bytes:
    start, stop = _span(content, chance)
    kept = content[stop:] if chance.random() < 0.5 else content[start:]
    return content[:start] + bytes(stop - start) + kept


def _delete(content: bytes, other: bytes, chance: Chance) -> bytes:
    start, stop = _span(content, chance)
    return content[:start] + content[stop:]


def _swap(content: bytes, other: bytes, chance: Chance) -> bytes:
    (a, b), (c, d) = sorted((_span(content, chance), _span(content, chance)))
    if b > c:
        return _delete(content, other, chance)
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _repeat(content: bytes, other: bytes, chance: Chance) -> bytes:
    start, stop = _span(content, chance)
    return content[:stop] + content[start:]


def _splice(content: bytes, other: bytes, chance: Chance) -> bytes:
    start, stop = _span(content, chance)
    first, last = _span(other, chance)
    return content[:start] + other[first:last] + content[stop:]


def _number(content: bytes, other: bytes, chance: Chance) -> bytes:
    size = int(2 ** chance.integers(0, 4))
    start = _place(content, chance)
    start -= start % size if chance.random() < 0.7 else 0
    number = NUMBERS[chance.integers(len(NUMBERS))] % 2 ** (8 * size)
    order = "little" if chance.random() < 0.7 else "big"
    return content[:start] + number.to_bytes(size, order) + content[start + size :]


_CHANGES: tuple[Change, ...] = (
    *(_flip, _flip, _cut, _zeros, _delete, _swap, _repeat, _splice, _number, _number),
)


def _json(sound: bytes, other: bytes, chance: Chance) -> bytes:
    value = json.loads(sound)
    for _ in range(1 + int(chance.integers(2))):
        holder = value
        while isinstance(holder, dict | list) and holder:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            key: Any = keys[int(chance.integers(len(keys)))]
            if isinstance(holder[key], dict | list) and holder[key] and chance.random() < 0.75:
                holder = holder[key]
                continue
            _alter(holder, key, chance)
            break
    text = json.dumps(value)
    if chance.random() < 0.03:
        deep = 10 ** int(chance.integers(2, 6))
        text = text.replace("1", "[" * deep + "]" * deep, 1)
    return text.encode("utf-8", errors="surrogatepass")


def _alter(holder: Any, key: Any, chance: Chance) -> None:
    kind = chance.integers(5)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif kind == 2 and isinstance(holder, list):
        holder.append(holder[key])
    elif kind == 3 and isinstance(holder[key], str | int | float):
        old = holder[key]
        holder[key] = f"{old}x" if isinstance(old, str) else old + 1
    else:
        holder[key] = copy.deepcopy(VALUES[chance.integers(len(VALUES))])


def _lines(sound: bytes, other: bytes, chance: Chance) -> bytes:
    lines = sound.splitlines(keepends=True)
    row = int(chance.integers(len(lines)))
    kind = chance.integers(6)
    if kind == 0:
        del lines[row]
    elif kind == 1:
        lines.insert(int(chance.integers(len(lines) + 1)), lines[row])
    elif kind == 2:
        lines[row] = lines[row].replace(b",", b'"', 1)
    elif kind == 3:
        lines[row] = lines[row].rstrip() + b"," + lines[row]
    else:
        cells = lines[row].rstrip(b"\r\n").split(b",")
        value = str(VALUES[chance.integers(len(VALUES))])
        cells[int(chance.integers(len(cells)))] = value.encode("utf-8", errors="surrogatepass")
        lines[row] = b",".join(cells) + b"\n"
    return b"".join(lines)


def _gzip(sound: bytes, other: bytes, chance: Chance) -> bytes:
    return gzip.compress(_bytes(gzip.decompress(sound), other, chance), 1, mtime=0)


def _png(sound: bytes, other: bytes, chance: Chance) -> bytes:
    """A chunk damaged and its checksum made to fit."""
    chunks, place = [], 8
    while place < len(sound):
        (size,) = struct.unpack_from(">I", sound, place)
        chunks.append((sound[place + 4 : place + 8], sound[place + 8 : place + 8 + size]))
        place += 12 + size
    row = int(chance.integers(len(chunks)))
    kind, body = chunks[row]
    if kind == b"IDAT" and chance.random() < 0.5:
        body = zlib.compress(_bytes(zlib.decompress(body), other, chance))
    else:
        body = _bytes(body, other, chance)
    chunks[row] = (kind, body)
    if chance.random() < 0.2:
        chunks.insert(int(chance.integers(len(chunks))), chunks[row])
    return sound[:8] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


_STRUCTURED: dict[str, Change] = {"json": _json, "lines": _lines, "gzip": _gzip, "png": _png}


def hdf5(path: Path, chance: Chance) -> None:
    """Alters an HDF5 file by the library itself: links and sizes that bytes rarely hit upon."""
    import h5py

    with h5py.File(path, "r+") as file:
        keys = sorted(file)
        key = keys[int(chance.integers(len(keys)))]
        old: Any = file[key]
        shape, dtype, content = old.shape, old.dtype, old[()]
        del file[key]
        kind = int(chance.integers(16))
        huge = (2 ** int(chance.integers(20, 62)), *shape[1:])
        wide = (*shape[:-1], 2 ** int(chance.integers(20, 40)))
        if kind == 0:
            file[key] = h5py.SoftLink(f"/{key}")
        elif kind == 1:
            file[key] = h5py.SoftLink("/nowhere")
        elif kind == 2:
            file[key] = h5py.ExternalLink(path.name, f"/{key}")
        elif kind == 3:
            file[key] = h5py.ExternalLink("/dev/zero", "/a")
        elif kind == 4:
            file.create_group(key)
        elif kind in (5, 6):  # never written
            chunks = (min(1024, huge[0]), *shape[1:]) if kind == 5 else None
            if kind == 5 or np.prod(huge, dtype=float) * dtype.itemsize < 2**62:
                file.create_dataset(key, huge, dtype, chunks=chunks)
        elif kind == 7:
            file.create_dataset(key, wide, dtype, chunks=(*shape[:-1], 1024), fillvalue=1)
        elif kind == 8:  # a little is written of much
            huge_set = file.create_dataset(
                key, huge, dtype, chunks=(16, *shape[1:]), compression="gzip"
            )
            with contextlib.suppress(OSError):  # the library cannot index all that it can announce
                huge_set[: len(content)] = content
        elif kind == 9:  # in one part
            file.create_dataset(key, data=content, maxshape=(None,) * len(shape), chunks=shape)
        elif kind == 10:
            file[key] = np.full(shape, "text", h5py.string_dtype())
        elif kind == 11:
            file[key] = np.zeros(shape, [("a", "f4"), ("b", "i8")])
        elif kind == 12:
            file[key] = content.astype(VALUES_OF[int(chance.integers(len(VALUES_OF)))])
        elif kind == 13:
            file[key] = np.roll(content, 1) if chance.random() < 0.5 else content.reshape(-1)
        elif kind == 14:
            layout = h5py.VirtualLayout(shape, dtype)
            layout[:] = h5py.VirtualSource(path.name, "elsewhere", shape)
            file.create_virtual_dataset(key, layout)
        else:
            file.create_dataset(
                key, shape, dtype, external=[(str(path.with_name("raw.bin")), 0, 2**40)]
            )


VALUES_OF = ("i1", "u1", "i8", "u8", ">i4", "f2", "f8", "g", "c8", "?")


def copied(source: Path, target: Path) -> None:
    """A copy of a folder in an empty one."""
    shutil.copytree(source, target, dirs_exist_ok=True)
