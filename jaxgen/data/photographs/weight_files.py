"""What files of weights hold: PyTorch's `.pth`, of both its formats, and `.safetensors`.

Nothing is unpickled (see `pickled_tensors`), and no array is read before it was compared with what
is expected of it.
"""

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from jaxgen.data.photographs import pickled_tensors
from jaxgen.data.photographs.pickled_tensors import Storage, Tensor
from jaxgen.data.photographs.stored_arrays import KINDS, MOST_HEADER, StoredArray, Unsound, told
from jaxgen.errors import JaxgenError
from jaxgen.settings import shortened

_MAGIC = 0x1950A86A20F9469CFC6C  # of PyTorch's older format
_PROTOCOL = 1001
_SAFE_KINDS = {
    "F32": "float32",
    "F64": "float64",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "U8": "uint8",
    "BOOL": "bool",
}
_IGNORED = "num_batches_tracked"  # how many batches batch norm saw, which nothing here asks


def read(
    path: Path, file: BinaryIO, expected: Mapping[str, tuple[int, ...]], advice: str
) -> dict[str, np.ndarray]:
    """Arrays of a file of weights.

    Args:
        path: what messages call the file; its suffix says nothing.
        file: opened to read in binary.
        expected: the shape of each array by its name; there may be no other.
        advice: what to do, for messages.

    Returns:
        float32 arrays by name.

    Raises:
        JaxgenError: the file is damaged, would have to be executed, or does not hold what is
            expected; it names the array.
        OSError: it cannot be read.
    """
    with told(path, advice):
        stored = _described(file)
    _compare(path, {name: array.shape for name, array in stored.items()}, expected, advice)
    arrays = {}
    for name in expected:
        with told(path, advice):
            try:
                arrays[name] = stored[name].array()
            except Unsound as error:
                raise Unsound(f"tensor {name} {error}") from error
            except Exception as error:
                raise Unsound(f"tensor {name} is damaged ({error})") from error
        if not np.isfinite(arrays[name]).all():
            raise JaxgenError(f"{path} tensor {name} has a value that is not finite; {advice}")
    return arrays


def _compare(
    path: Path,
    found: Mapping[str, tuple[int, ...]],
    expected: Mapping[str, tuple[int, ...]],
    advice: str,
) -> None:
    strange = "are these the weights of another network?"
    for name, shape in expected.items():
        if name not in found:
            raise JaxgenError(f"{path} has no tensor {name} of shape {shape}: {strange} {advice}")
        if found[name] != shape:
            raise JaxgenError(
                f"{path} tensor {name} has shape {found[name]} instead of {shape}: {strange} "
                f"{advice}"
            )
    more = [name for name in found if name not in expected and not name.endswith(_IGNORED)]
    if more:
        raise JaxgenError(
            f"{path} has a tensor {shortened(ascii(more[0]), 100)} that this network lacks: "
            f"{strange} {advice}"
        )


def _described(file: BinaryIO) -> dict[str, StoredArray]:
    """The arrays of a file, of which none has been read."""
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(9)
    file.seek(0)
    if head.startswith(b"PK\x03\x04"):
        return _of_zip(zipfile.ZipFile(file))
    if head.startswith(b"\x80"):
        return _of_stream(file, size)
    if head[8:] == b"{":
        return _of_safetensors(file, size)
    raise Unsound("is neither a .pth file of PyTorch's nor a .safetensors file")


def _of_safetensors(file: BinaryIO, size: int) -> dict[str, StoredArray]:
    length = int.from_bytes(file.read(8), "little")
    if length > min(MOST_HEADER, size - 8):
        raise Unsound(f"announces a header of {length} bytes")
    header = json.loads(file.read(length))
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind, shape = _SAFE_KINDS[entry["dtype"]], tuple(entry["shape"])
        start, stop = entry["data_offsets"]
        if not all(isinstance(n, int) and n >= 0 for n in (*shape, start, stop)):
            raise Unsound(f"describes tensor {name} by what are no counts")
        if stop - start != math.prod(shape) * KINDS[kind].bytes or 8 + length + stop > size:
            raise Unsound(f"ends before tensor {name} does, or tells its size wrongly")
        place = 8 + length + start
        found[name] = StoredArray(kind, shape, partial(_bytes, file, place, stop - start))
    return found


def _bytes(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    found = file.read(length)
    if len(found) < length:
        raise Unsound("is not whole")
    return found


def _of_zip(archive: zipfile.ZipFile) -> dict[str, StoredArray]:
    entries = {entry.filename: entry for entry in archive.infolist()}
    (place,) = (name for name in entries if name.split("/")[1:] == ["data.pkl"])
    top = place.partition("/")[0]
    order = entries.get(f"{top}/byteorder")
    if order is not None and _unpacked(archive, order, 16) != b"little":
        raise Unsound("has numbers in another order of bytes than little-endian")
    described = pickled_tensors.run(io.BytesIO(_unpacked(archive, entries[place], MOST_HEADER)))

    def reader(storage: Storage) -> Callable[[], bytes]:
        entry = entries.get(f"{top}/data/{storage.key}")
        length = storage.size * KINDS[storage.kind].bytes
        if entry is None or entry.file_size != length:
            raise Unsound("is not in the file, or not whole")
        return lambda: _unpacked(archive, entry, length)

    return _tensors(described, reader)


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > most:
        raise Unsound(f"has {shortened(ascii(entry.filename), 100)} compressed, or too large")
    return archive.read(entry)


def _of_stream(file: BinaryIO, size: int) -> dict[str, StoredArray]:
    """PyTorch's format before 1.6: five pickles, then each storage behind its size."""
    if (pickled_tensors.run(file), pickled_tensors.run(file)) != (_MAGIC, _PROTOCOL):
        raise Unsound("is a pickle, but not of weights as PyTorch writes them")
    if pickled_tensors.run(file)["little_endian"] is not True:
        raise Unsound("has numbers in another order of bytes than little-endian")
    described = pickled_tensors.run(file)
    kinds = {tensor.storage.key: tensor.storage for tensor in _dictionary(described).values()}
    places = {}
    for key in pickled_tensors.run(file):
        storage = kinds[key]
        length = storage.size * KINDS[storage.kind].bytes
        count, place = int.from_bytes(file.read(8), "little"), file.tell()
        if count != storage.size or place + length > size:
            break  # what follows is not there, as the tensor's own message says
        places[key] = place
        file.seek(place + length)

    def reader(storage: Storage) -> Callable[[], bytes]:
        if storage.key not in places:
            raise Unsound("is not in the file, or not whole")
        length = storage.size * KINDS[storage.kind].bytes
        return partial(_bytes, file, places[storage.key], length)

    return _tensors(described, reader)


def _tensors(
    described: Any, reader: Callable[[Storage], Callable[[], bytes]]
) -> dict[str, StoredArray]:
    found = {}
    for name, tensor in _dictionary(described).items():
        try:
            read = reader(tensor.storage)
        except Unsound as error:
            raise Unsound(f"tensor {name} {error}") from error
        found[name] = StoredArray(
            tensor.storage.kind, tensor.shape, read, tensor.start, tensor.strides
        )
    return found


def _dictionary(described: Any) -> dict[str, Tensor]:
    if not isinstance(described, dict) or not all(isinstance(name, str) for name in described):
        raise Unsound("holds no dictionary of tensors: save a module's state_dict()")
    for name, tensor in described.items():
        if not isinstance(tensor, Tensor):
            shown = shortened(ascii(name), 100)
            raise Unsound(f"has {shown}, which is no tensor: save a module's state_dict() alone")
    return described
