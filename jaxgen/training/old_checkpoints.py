"""Checkpoints as jaxgen 0.1.0 wrote them, by Orbax: read, and no longer written.

Orbax's storage (TensorStore 0.1.86) keeps 320 bytes for each array that it saves for good, some
20 kB a checkpoint, and takes ten times as long.
"""

import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np


def is_old(folder: Path) -> bool:
    """Whether a checkpoint's folder is one of 0.1.0."""
    return (folder / "_CHECKPOINT_METADATA").exists() or (folder / "meta").exists()


def read(folder: Path) -> tuple[dict[str, Any], str, int | None]:
    """A checkpoint's state, its checksum, and its step where it tells one.

    Raises:
        Exception: of nearly any kind, where it is damaged.
    """
    import orbax.checkpoint as ocp

    # What Orbax logs of a damaged checkpoint is 150 lines of tracebacks; the warning is ours.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    arguments = ocp.args.Composite(state=ocp.args.StandardRestore(), meta=ocp.args.JsonRestore())
    with ocp.CheckpointManager(folder.parent) as manager:
        found = manager.restore(int(folder.name), args=arguments)
    meta = dict(found.meta)
    return jax.tree.map(np.asarray, found.state), meta["checksum"], meta.get("step")
