"""A state in safetensors files, one from each process: whole arrays, and parts of split ones.

A file's metadata have one entry, JSON: the step, how the arrays nest, which tensors are parts of
what, the checksum of this file's arrays and, where there are several files, those of all. So every
shard is checked by itself, and no process ever holds the whole of an array that is split.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flax.serialization
import jax
import numpy as np

from jaxgen.data.sealing import seal, sealed
from jaxgen.display.replacing import sync

PyTree = Any

_TOLD = "jaxgen"
_NAME = re.compile(r"state-(\d{5})-of-(\d{5})\.safetensors")


class Damaged(Exception):
    """Why a checkpoint cannot be used."""


class Piece(NamedTuple):
    """An array of the state, or this process's part of one that is split."""

    name: str
    """Where the array is in the state."""
    data: np.ndarray
    start: tuple[int, ...] | None = None
    """The part's first index along each axis; None for a whole array."""
    shape: tuple[int, ...] = ()
    """Of the whole array, of a part."""

    @property
    def tensor(self) -> str:
        """Its name in the file."""
        return self.name if self.start is None else f"{self.name}@{','.join(map(str, self.start))}"

    def update(self, digest: Any) -> None:
        """Add it to a checksum."""
        array = np.ascontiguousarray(self.data)
        place = "" if self.start is None else f" of {self.shape} from {self.start}"
        digest.update(f"{self.name} {array.dtype} {array.shape}{place}\n".encode())
        digest.update(array.data.cast("B") if array.size else b"")


def checksum(pieces: Iterable[Piece]) -> str:
    """SHA-256 over the place, dtype, shape and bytes of each."""
    digest = hashlib.sha256()
    for piece in pieces:
        piece.update(digest)
    return digest.hexdigest()


def file_name(process: int, processes: int) -> str:
    """The name of a process's file."""
    return f"state-{process:05d}-of-{processes:05d}.safetensors"


def pieces(state: PyTree, process: int = 0, processes: int = 1) -> list[Piece]:
    """What a process saves of a state: whole arrays in turn with the others, and its own parts.

    Args:
        state: nested dicts of arrays.
        process: from 0.
        processes: how many there are.

    Returns:
        The pieces, in the order of the state. Those of all processes are the state, each number
        once.
    """
    found = []
    for index, (place, leaf) in enumerate(jax.tree_util.tree_flatten_with_path(state)[0]):
        name = jax.tree_util.keystr(place)
        if isinstance(leaf, jax.Array) and not leaf.is_fully_replicated:
            for shard in leaf.addressable_shards:
                if shard.replica_id == 0:
                    start = tuple(part.start or 0 for part in shard.index)
                    found.append(Piece(name, np.asarray(shard.data), start, leaf.shape))
        elif index % processes == process:
            found.append(Piece(name, np.asarray(leaf)))
    return found


def write(path: Path, tree: PyTree, own: Sequence[Piece], told: Mapping[str, Any]) -> None:
    """Write a process's file, on the disk when this returns.

    Args:
        path: of the file.
        tree: nested dicts like the state, of anything.
        own: the pieces.
        told: further values for its metadata.

    Raises:
        OSError: it cannot be written.
    """
    import safetensors.numpy

    names = jax.tree_util.tree_map_with_path(lambda place, _: jax.tree_util.keystr(place), tree)
    parts = {p.tensor: [p.name, p.start, p.shape] for p in own if p.start is not None}
    told = {**told, "tree": names} | ({"parts": parts} if parts else {})
    # One entry of metadata, since the library writes several in an order that changes.
    metadata = {_TOLD: json.dumps(sealed(told))}
    try:
        # The library writes the memory from where an array begins on, whatever its strides.
        arrays = {piece.tensor: np.asarray(piece.data, order="C") for piece in own}
        safetensors.numpy.save_file(arrays, path, metadata)
    except safetensors.SafetensorError as error:  # its only kind, which tells no errno
        raise OSError(None, str(error).rpartition("I/O error: ")[2], str(path)) from error
    sync(path)


_NOT_READ = np.empty(0)


class SavedFile:
    """A file of a checkpoint, as its metadata describe it."""

    def __init__(self, path: Path) -> None:
        """Reads the metadata.

        Raises:
            Exception: of nearly any kind, where it is damaged.
        """
        if not path.is_file():  # to open a pipe would wait for its writer
            raise Damaged(f"{path.name} is missing")
        self.path = path
        with self._open() as file:
            self.told: dict[str, Any] = json.loads((file.metadata() or {})[_TOLD])
            if self.told.pop("sha256") != seal(self.told):
                raise Damaged("its contents do not match their checksum")
            held = set(file.keys())
        parts = self.told.get("parts", {})
        found = {name: [Piece(name, _NOT_READ)] for name in held - parts.keys()}
        for name, start, shape in parts.values():
            part = Piece(name, _NOT_READ, tuple(start), tuple(shape))
            found.setdefault(name, []).append(part)
        # In the order of the state, which the checksum has too.
        names = [name for name in jax.tree.leaves(self.told["tree"]) if name in found]
        self.pieces = {name: found[name] for name in names}
        """Of each array, what is here, not read yet."""
        if {piece.tensor for piece in self._all_pieces()} != held:
            raise Damaged("it holds other arrays than it tells of")

    def verify(self) -> None:
        """Raise Damaged if an array is not as it was written; one array at a time is in memory."""
        with self._open() as file:
            found = (
                piece._replace(data=file.get_tensor(piece.tensor)) for piece in self._all_pieces()
            )
            if checksum(found) != self.told["checksum"]:
                raise Damaged("its contents do not match their checksum")

    def read(self, tensor: str, index: tuple[slice, ...] = ()) -> np.ndarray:
        """A tensor, or a part of it."""
        with self._open() as file:
            return np.array(file.get_slice(tensor)[index] if index else file.get_tensor(tensor))

    def dtype(self, tensor: str) -> np.dtype:
        """A tensor's dtype."""
        with self._open() as file:
            rows = file.get_slice(tensor)
            empty = rows[0:0] if rows.get_shape() else file.get_tensor(tensor)
            return np.asarray(empty).dtype

    def shape(self, tensor: str) -> tuple[int, ...]:
        """A tensor's shape."""
        with self._open() as file:
            return tuple(file.get_slice(tensor).get_shape())

    def _all_pieces(self) -> Iterator[Piece]:
        return itertools.chain.from_iterable(self.pieces.values())

    def _open(self) -> Any:
        from safetensors import safe_open

        return safe_open(self.path, framework="numpy")


class SavedArray:
    """An array of a checkpoint, read where and when it is asked for."""

    def __init__(self, name: str, files: Sequence[SavedFile]) -> None:
        """Takes its name in the state, and the files that hold it or parts of it.

        Raises:
            Damaged: some of it is nowhere.
        """
        found = [(file, piece) for file in files for piece in file.pieces.get(name, [])]
        whole = [(file, piece) for file, piece in found if piece.start is None]
        self.shape = found[0][1].shape if found else ()
        if whole:
            self.shape = whole[0][0].shape(name)
        self._parts = [
            (file, piece.tensor, piece.start or (0,) * len(self.shape), file.shape(piece.tensor))
            for file, piece in whole[:1] or found
        ]
        held = sum(int(np.prod(shape)) for *_, shape in self._parts)
        if not self._parts or held != int(np.prod(self.shape)):
            raise Damaged(f"{name} is not there in full")
        self.dtype = self._parts[0][0].dtype(self._parts[0][1])

    def __getitem__(self, index: Any) -> np.ndarray:
        """A part of it, by a slice of each axis."""
        if not self.shape:
            return self.__array__()
        index = index if isinstance(index, tuple) else (index,)
        index += (slice(None),) * (len(self.shape) - len(index))
        bounds = [part.indices(size)[:2] for part, size in zip(index, self.shape, strict=True)]
        found = np.empty([stop - start for start, stop in bounds], self.dtype)
        for file, tensor, begins, shape in self._parts:
            common = [
                (max(start, begin), min(stop, begin + size))
                for (start, stop), begin, size in zip(bounds, begins, shape, strict=True)
            ]
            if all(low < high for low, high in common):
                there = tuple(
                    slice(low - begin, high - begin)
                    for (low, high), begin in zip(common, begins, strict=True)
                )
                here = tuple(
                    slice(low - start, high - start)
                    for (low, high), (start, _) in zip(common, bounds, strict=True)
                )
                found[here] = file.read(tensor, there)
        return found

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """All of it."""
        if not self.shape:
            file, tensor, *_ = self._parts[0]
            return np.asarray(file.read(tensor), dtype)
        return np.asarray(self[tuple(slice(None) for _ in self.shape)], dtype)


def files_of(folder: Path) -> list[SavedFile]:
    """The files of a checkpoint, of which none is missing.

    Raises:
        Damaged: one is, or they do not belong together.
        Exception: of nearly any kind, where one is damaged.
    """
    found = [match for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    processes = int(found[0][2]) if found else 1
    files = [SavedFile(folder / file_name(i, processes)) for i in range(processes)]
    marks = [file.told["checksum"] for file in files]
    for file in files:
        if file.told.get("checksums", marks) != marks:
            raise Damaged("its files are of several checkpoints")
    return files


def state_of(files: Sequence[SavedFile]) -> PyTree:
    """The state that files hold, as nested dicts of `SavedArray`."""
    return jax.tree.map(lambda name: SavedArray(name, files), files[0].told["tree"])


def as_dicts(state: PyTree) -> PyTree:
    """A state as nested dicts of arrays."""
    return flax.serialization.to_state_dict(state)
