"""Checkpoints of a run: Orbax folders with a checksum, since Orbax misses a flipped byte.

A checkpoint holds the state as nested dicts of arrays (`flax.serialization.to_state_dict`), so that
the generator can be read without rebuilding the optimiser around it.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any, NamedTuple

import flax.serialization
import jax
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag

PyTree = Any


class Restored(NamedTuple):
    """The newest readable checkpoint."""

    step: int
    state: dict[str, Any]
    """Nested dicts of NumPy arrays."""
    damaged: dict[int, str]
    """What was wrong with each newer checkpoint, by its step."""


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

    def save(self, step: int, state: PyTree) -> str:
        """Save the state after `step` steps and return its checksum; an existing one stays."""
        import orbax.checkpoint as ocp

        arrays = jax.tree.map(np.asarray, flax.serialization.to_state_dict(state))
        mark = checksum(arrays)
        if step not in self.steps():
            with self._manager() as manager:
                manager.save(
                    step,
                    args=ocp.args.Composite(
                        state=ocp.args.StandardSave(arrays),
                        meta=ocp.args.JsonSave({"checksum": mark, "step": step}),
                    ),
                )
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
                state, meta = self._read(step)
                mark, saved = meta["checksum"], meta.get("step", step)  # 0.1.0 wrote no step
            except Exception as error:  # Orbax raises anything from KeyError to bare Exception
                first = (str(error).splitlines() or [""])[0]
                damaged[step] = f"{type(error).__name__}: {first[:200]}"
                continue
            if saved != step:
                damaged[step] = f"it is the checkpoint of step {saved}, renamed"
            elif checksum(state) != mark:
                damaged[step] = "its contents do not match their checksum"
            else:
                return Restored(step, state, damaged)
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

    def _read(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        import orbax.checkpoint as ocp

        with self._manager() as manager:
            found = manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(), meta=ocp.args.JsonRestore()
                ),
            )
        return jax.tree.map(np.asarray, found.state), dict(found.meta)

    def _manager(self) -> Any:
        import orbax.checkpoint as ocp

        # What Orbax logs of a damaged checkpoint is 150 lines of tracebacks; the warning is ours.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=self._keep, enable_async_checkpointing=False
        )
        return ocp.CheckpointManager(self._folder, options=options)
