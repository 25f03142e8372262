"""Losses and parameters that are not finite end the training before they are saved."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag

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


@jax.jit
def _are_finite(leaves: list[jax.Array]) -> jax.Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves])


@jax.jit
def _is_finite_at(leaf: jax.Array, index: int) -> jax.Array:
    return jnp.isfinite(leaf[index]).all()


def check_parameters(state: PyTree, step: int, seeds: Sequence[int] = (0,)) -> None:
    """Refuse a state with a number that is not finite, so that none is ever saved.

    Args:
        state: arrays, with a place for each replica in front where there are several.
        step: steps taken.
        seeds: of the replicas.

    Raises:
        Diverged: it has one.
    """
    found = [
        (path, leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]
        if jnp.issubdtype(leaf.dtype, jnp.inexact)
    ]
    is_finite = np.asarray(_are_finite([leaf for _, leaf in found])) if found else np.ones(1, bool)
    if not is_finite.all():
        place, leaf = found[int(is_finite.argmin())]
        path, whose = jax.tree_util.keystr(place), ""
        if len(seeds) > 1:
            broken = [seed for i, seed in enumerate(seeds) if not _is_finite_at(leaf, i)]
            whose = f" of seed {broken[0]}"
        raise Diverged(
            f"the parameters{whose} are not finite after step {step} ({path}): {_advice()}"
        )
