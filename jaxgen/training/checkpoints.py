"""Checkpoints of a run: folders named by their step, each with a safetensors file and its checksum.

A checkpoint holds the state as nested dicts of arrays (`flax.serialization.to_state_dict`), so that
the generator can be read without rebuilding the optimiser around it. It is written beside its
place, brought to the disk and then renamed: a folder that has a step's name is whole.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import flax.serialization
import jax
import numpy as np

from jaxgen.data.sealing import seal, sealed
from jaxgen.display.replacing import PARTIAL, sync
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training import old_checkpoints

PyTree = Any

STATE_FILE = "state-00000-of-00001.safetensors"
_TOLD = "jaxgen"
"""The entry of its metadata, JSON with the step, the checksum, how arrays nest, and metrics."""


class Restored(NamedTuple):
    """The newest readable checkpoint."""

    step: int
    state: dict[str, Any]
    """Nested dicts of NumPy arrays."""
    damaged: dict[int, str]
    """What was wrong with each newer checkpoint, by its step."""
    row: dict[str, str]
    """The metrics of the last step, which a run that was killed soon after had not written yet."""


def checksum(state: PyTree) -> str:
    """SHA-256 over every leaf's path, dtype, shape and bytes."""
    digest = hashlib.sha256()
    leaves = jax.tree_util.tree_flatten_with_path(flax.serialization.to_state_dict(state))[0]
    for path, leaf in leaves:
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        digest.update(array.data.cast("B") if array.size else b"")
    return digest.hexdigest()


def refuse_misfit(expected: PyTree, saved: PyTree, step: int) -> None:
    """Hold a checkpoint's arrays against those that a configuration asks for.

    Args:
        expected: a pytree of arrays, or of their shapes and dtypes.
        saved: nested dicts of arrays, as `flax.serialization.to_state_dict` gives for `expected`.
        step: of the checkpoint.

    Raises:
        JaxgenError: an array is missing, too many, or of another shape.
    """
    wanted, found = (
        {
            jax.tree_util.keystr(path, simple=True, separator="."): tuple(np.shape(leaf))
            for path, leaf in jax.tree_util.tree_flatten_with_path(
                flax.serialization.to_state_dict(tree)
            )[0]
        }
        for tree in (expected, saved)
    )
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise JaxgenError(
                f"the checkpoint of step {step} does not fit the configuration: {name} has shape "
                f"{found.get(name)}, not {wanted.get(name)}; one of the two was altered"
            )


class Checkpoints:
    """The checkpoints in a folder, newest `keep` of them kept."""

    def __init__(self, folder: Path, keep: int = 3) -> None:
        self._folder = folder.absolute()
        self._keep = keep

    def steps(self) -> list[int]:
        """Steps that have a complete checkpoint, ascending."""
        if not self._folder.is_dir():
            return []
        return sorted(int(p.name) for p in self._folder.iterdir() if p.name.isdecimal())

    def save(self, step: int, state: PyTree, row: dict[str, str] | None = None) -> str:
        """Save the state after `step` steps, on the disk when this returns; an existing one stays.

        Args:
            step: steps taken.
            state: a pytree of arrays.
            row: the metrics of that step.

        Returns:
            The checksum of the state.

        Raises:
            OSError: it cannot be written. The checkpoints before it are as they were.
        """
        arrays = jax.tree.map(np.asarray, flax.serialization.to_state_dict(state))
        mark = checksum(arrays)
        if step not in self.steps():
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = self._folder / f"{PARTIAL}{os.getpid()}-{step}"
            try:
                temporary.mkdir()
                _write(temporary / STATE_FILE, arrays, mark, step, row or {})
                sync(temporary)
                temporary.rename(self._folder / str(step))
                sync(self._folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            for old in self.steps()[: -self._keep]:
                self._remove(old)
        return mark

    def restore(self) -> Restored | None:
        """The newest checkpoint whose bytes match their checksum; None when there is none.

        Damaged ones are left as they are; `set_aside` moves them out of the way.

        Raises:
            JaxgenError: there are checkpoints, and all are damaged.
        """
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                state, row = _read(self._folder / str(step), step)
            except _Damaged as error:
                damaged[step] = str(error)
            else:
                return Restored(step, state, damaged, row)
        if damaged:
            raise JaxgenError(
                f"{self._folder}: every checkpoint is damaged "
                f"(steps {', '.join(map(str, damaged))}); train again in a new {flag('workdir')}"
            )
        return None

    def set_aside(self, step: int) -> Path:
        """Rename a damaged checkpoint, so that training can save that step again."""
        target = self._folder / f"damaged-{step}"
        count = 1
        while target.exists():
            count += 1
            target = self._folder / f"damaged-{step}-{count}"
        (self._folder / str(step)).rename(target)
        return target

    def sweep(self) -> None:
        """Remove what processes that were killed while they saved or removed left behind."""
        if self._folder.is_dir():
            for path in self._folder.glob(f"{PARTIAL}*"):
                shutil.rmtree(path, ignore_errors=True)

    def _remove(self, step: int) -> None:
        # Renamed first: a kill in between must not leave half of a folder that has a step's name.
        temporary = self._folder / f"{PARTIAL}{os.getpid()}-old-{step}"
        (self._folder / str(step)).rename(temporary)
        shutil.rmtree(temporary, ignore_errors=True)


class _Damaged(Exception):
    """Why a checkpoint cannot be used."""


def _write(path: Path, arrays: PyTree, mark: str, step: int, row: dict[str, str]) -> None:
    """Write nested dicts of arrays; the file's metadata say how they nest."""
    import safetensors.numpy

    leaves = jax.tree_util.tree_flatten_with_path(arrays)[0]
    named = {jax.tree_util.keystr(place): np.asarray(leaf, order="C") for place, leaf in leaves}
    names = jax.tree_util.tree_map_with_path(lambda place, _: jax.tree_util.keystr(place), arrays)
    told = {"step": step, "checksum": mark, "tree": names, "row": row}
    # One entry of metadata, since the library writes several in an order that changes.
    metadata = {_TOLD: json.dumps(sealed(told))}
    try:
        safetensors.numpy.save_file(named, path, metadata)
    except safetensors.SafetensorError as error:  # its only kind, which tells no errno
        raise OSError(None, str(error).rpartition("I/O error: ")[2], str(path)) from error
    sync(path)


def _read(folder: Path, step: int) -> tuple[dict[str, Any], dict[str, str]]:
    """A checkpoint's state and its row of metrics.

    Raises:
        _Damaged: it cannot be read, is that of another step, or is not as it was written.
    """
    path = folder / STATE_FILE
    try:
        if not path.is_file() and old_checkpoints.is_old(folder):
            state, mark, saved = old_checkpoints.read(folder)
            row = {}
        else:
            state, mark, saved, row = _read_file(path)
    except _Damaged:
        raise
    except Exception as error:  # foreign bytes make readers raise nearly anything
        first = (str(error).splitlines() or [""])[0]
        raise _Damaged(f"{type(error).__name__}: {first[:200]}") from error
    if saved not in (step, None):
        raise _Damaged(f"it is the checkpoint of step {saved}, renamed")
    if checksum(state) != mark:
        raise _Damaged("its contents do not match their checksum")
    return state, row


def _read_file(path: Path) -> tuple[dict[str, Any], str, int, dict[str, str]]:
    from safetensors import safe_open

    if not path.is_file():  # to open a pipe would wait for its writer
        raise _Damaged(f"{path.name} is missing")
    with safe_open(path, framework="numpy") as file:
        told = json.loads((file.metadata() or {})[_TOLD])
        if told.pop("sha256") != seal(told):
            raise _Damaged("its contents do not match their checksum")
        state = jax.tree.map(lambda name: np.array(file.get_tensor(name)), told["tree"])
    return state, told["checksum"], told["step"], told["row"]
