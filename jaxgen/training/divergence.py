"""Losses and parameters that are not finite end the training before they are saved."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training import state_files
from jaxgen.training.processes import gathered
from jaxgen.training.state_files import Piece

PyTree = Any


class Diverged(JaxgenError):
    """A loss or a parameter is not finite."""

    exit_code = 1


def _advice() -> str:
    return (
        f"training diverged; try a smaller {flag('optimizer.learning_rate')} in a new "
        f"{flag('workdir')}"
    )


def check_metrics(history: dict[str, np.ndarray], first_step: int) -> None:
    """Refuse metrics that are not finite.

    Args:
        history: a value a step of each.
        first_step: steps taken before them.

    Raises:
        Diverged: one is not finite.
    """
    for name, row in history.items():
        if not np.isfinite(row).all():
            index = int(np.argmin(np.isfinite(row)))
            raise Diverged(f"{name} is {row[index]} at step {first_step + index + 1}: {_advice()}")


def _broken(piece: Piece) -> tuple[str, int] | None:
    """The name of a piece that has a number that is not finite, and where that is on axis 0."""
    if not jnp.issubdtype(piece.data.dtype, jnp.inexact):
        return None
    is_finite = np.isfinite(piece.data)
    if is_finite.all():
        return None
    start = piece.start[0] if piece.start else 0
    index = start + int(np.argwhere(~is_finite)[0][0]) if is_finite.ndim else 0
    return piece.name, index


def check_parameters(state: PyTree, step: int, seeds: Sequence[int] = (0,)) -> None:
    """Refuse a state with a number that is not finite, so that none is ever saved.

    Each process looks at what it is about to write, on the host, since a program for the devices
    would have to be compiled; all of them raise the same.

    Args:
        state: arrays, with a place for each replica in front where there are several.
        step: steps taken.
        seeds: of the replicas.

    Raises:
        Diverged: it has one.
    """
    own = state_files.pieces(state, jax.process_index(), jax.process_count())
    first = next(filter(None, map(_broken, own)), None)
    for name, index in filter(None, gathered(first)):
        whose = f" of seed {seeds[index]}" if len(seeds) > 1 else ""
        raise Diverged(
            f"the parameters{whose} are not finite after step {step} ({name}): {_advice()}"
        )
