"""How many steps were taken, for losses that change in the course of a training."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Array = jax.Array


class Counted(NamedTuple):
    """An optimiser's state with the number of its steps."""

    steps: Any
    inner: Any


def counting(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """The optimiser, counting its steps."""

    def init(params: optax.Params) -> Counted:
        return Counted(jnp.int32(0), optimizer.init(params))

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None
    ) -> tuple[optax.Updates, Counted]:
        updates, inner = optimizer.update(updates, state.inner, params)
        return updates, Counted(optax.safe_increment(state.steps), inner)

    return optax.GradientTransformation(init, update)


def count(state: Any) -> Array:
    """Steps taken before, from the state of an optimiser that counts them."""
    return state.steps
