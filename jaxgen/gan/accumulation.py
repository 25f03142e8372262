"""A batch in several parts, one after the other: a gradient of all with the memory of one.

N batch.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.nn import batch_axis

Array = jax.Array
PyTree = Any


def in_parts(batch: PyTree, count: int) -> Any:
    """Arrays (N, ...) as (count, N / count, ...); each device keeps its own rows."""
    return jax.tree.map(lambda x: jnp.stack(batch_axis.parts(x, count)), batch)


def mean_gradient(
    one: Callable[[PyTree, PyTree, Array], tuple[PyTree, PyTree, PyTree]],
    state: PyTree,
    batch: PyTree,
    key: Array,
    count: int,
) -> tuple[PyTree, PyTree, PyTree]:
    """The mean gradient of a batch's parts, and of their metrics.

    Args:
        one: (state, batch, key) -> the state, the gradient and metrics. What a part changes in the
            state, statistics for one, the next part finds.
        state: before them.
        batch: arrays (N, ...).
        key: each part has its own from it.
        count: of the parts; with a single one this is `one` of the batch.
    """
    if count == 1:
        return one(state, batch, key)
    parts = in_parts(batch, count)
    first = jax.tree.map(lambda of_each: of_each[0], parts)
    _, *shapes = jax.eval_shape(one, state, first, key)
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), tuple(shapes))

    def turn(carry: PyTree, place_part: PyTree) -> tuple[PyTree, None]:
        state, total = carry
        place, part = place_part
        state, *found = one(state, part, jax.random.fold_in(key, place))
        return (state, jax.tree.map(jnp.add, total, tuple(found))), None

    (state, total), _ = jax.lax.scan(turn, (state, nothing), (jnp.arange(count), parts))
    gradient, metrics = jax.tree.map(lambda x: x / count, total)
    return state, gradient, metrics
