"""Checkpoints of a run: folders named by their step, each with the files of a state.

A checkpoint holds the state as nested dicts of arrays (`flax.serialization.to_state_dict`), so that
the generator can be read without rebuilding the optimiser around it. It is written beside its
place, brought to the disk and then renamed: a folder that has a step's name is whole. Each process
writes a file of its own (`state_files`); the first one makes the folder and renames it.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.display.replacing import PARTIAL, sync
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training import old_checkpoints, state_files
from jaxgen.training.processes import gathered, is_first, together
from jaxgen.training.state_files import Damaged

PyTree = Any


class Restored(NamedTuple):
    """The newest readable checkpoint."""

    step: int
    state: dict[str, Any]
    """Nested dicts of arrays, which are read from the files when they are asked for."""
    checksum: str
    """Of the state, as `Checkpoints.save` returned it."""
    damaged: dict[int, str]
    """What was wrong with each newer checkpoint, by its step."""
    row: dict[str, str]
    """The metrics of the last step, which a run that was killed soon after had not written yet."""


def checksum(state: PyTree) -> str:
    """SHA-256 over every leaf's path, dtype, shape and bytes."""
    return state_files.checksum(state_files.pieces(state_files.as_dicts(state)))


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
            for path, leaf in jax.tree_util.tree_flatten_with_path(state_files.as_dicts(tree))[0]
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
        state = state_files.as_dicts(state)
        process, processes = jax.process_index(), jax.process_count()
        own = state_files.pieces(state, process, processes)
        marks = gathered(state_files.checksum(own))
        if gathered(step in self.steps())[0]:
            return _joined(marks)
        told = {"step": step, "checksum": marks[process], "row": row or {}}
        if processes > 1:
            told["checksums"] = marks
        temporary = self._folder / f"{PARTIAL}{gathered(os.getpid())[0]}-{step}"

        def make() -> None:
            if is_first():
                self._folder.mkdir(parents=True, exist_ok=True)
                temporary.mkdir()

        def write() -> None:
            path = temporary / state_files.file_name(process, processes)
            state_files.write(path, state, own, told)

        def publish() -> None:
            if is_first():
                sync(temporary)
                temporary.rename(self._folder / str(step))
                sync(self._folder)
                for old in self.steps()[: -self._keep]:
                    self._remove(old)

        try:
            for work in (make, write, publish):
                together(work)
        finally:
            if is_first():
                shutil.rmtree(temporary, ignore_errors=True)
        return _joined(marks)

    def restore(self) -> Restored | None:
        """The newest checkpoint whose bytes match their checksum; None when there is none.

        Damaged ones are left as they are; `set_aside` moves them out of the way.

        Raises:
            JaxgenError: there are checkpoints, and all are damaged.
        """
        damaged: dict[int, str] = {}
        for step in gathered(list(reversed(self.steps())))[0]:
            found, problem = _opened(self._folder / str(step), step)
            problems = [sentence for sentence in gathered(problem) if sentence]
            if not problems and found:
                state, mark, row = found
                return Restored(step, state, mark, damaged, row)
            damaged[step] = problems[0]
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


def _joined(marks: list[str]) -> str:
    """The checksum of a state from those of its files; of a single one, that."""
    return marks[0] if len(marks) == 1 else hashlib.sha256("\n".join(marks).encode()).hexdigest()


def _opened(
    folder: Path, step: int
) -> tuple[tuple[dict[str, Any], str, dict[str, str]] | None, str]:
    """A checkpoint's state, its checksum and its row of metrics; or what is wrong with it.

    The processes share the work of verifying its files: what is wrong may be known to one alone.
    """
    try:
        is_old = old_checkpoints.is_old(folder)
        return (_read_old if is_old else _read)(folder, step), ""
    except Damaged as error:
        return None, str(error)
    except Exception as error:  # foreign bytes make readers raise nearly anything
        first = (str(error).splitlines() or [""])[0]
        return None, f"{type(error).__name__}: {first[:200]}"


def _read(folder: Path, step: int) -> tuple[dict[str, Any], str, dict[str, str]]:
    files = state_files.files_of(folder)
    for file in files:
        if file.told["step"] != step:
            raise Damaged(f"it is the checkpoint of step {file.told['step']}, renamed")
    for file in files[jax.process_index() :: jax.process_count()]:
        file.verify()
    mark = _joined([file.told["checksum"] for file in files])
    return state_files.state_of(files), mark, files[0].told["row"]


def _read_old(folder: Path, step: int) -> tuple[dict[str, Any], str, dict[str, str]]:
    state, mark, saved = old_checkpoints.read(folder)
    if saved not in (step, None):
        raise Damaged(f"it is the checkpoint of step {saved}, renamed")
    if checksum(state) != mark:
        raise Damaged("its contents do not match their checksum")
    return state, mark, {}
