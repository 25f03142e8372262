"""The axis of a batch that is split among devices: what keeps each device's work its own.

A program that is compiled for several devices has its mesh around it (`jax.set_mesh`), with the
axis 'data'. Without one, with a single device, or where the devices do not divide the batch, every
function here does what its plain counterpart does.

A device holds neighbouring rows. What joins batches, or merges the batch with another axis, has to
keep each device's rows together, or activations travel between devices.

N batch, T time, D devices, R rows (T·N, or several an example), F further axes.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

Array = jax.Array

AXIS = "data"
"""The mesh's axis along which batches are split."""


def devices() -> int:
    """How many devices share a batch in the program that is traced."""
    mesh = jax.sharding.get_abstract_mesh()
    return 1 if mesh.empty else mesh.shape.get(AXIS, 1)


def split(x: Array) -> Array:
    """An array (N, ...) that each device holds, and makes, its own part of.

    For what is drawn in a step: XLA repeats it on each device, and all that follows from it, unless
    it is told otherwise.
    """
    if devices() == 1 or _sharing(len(x)) == 1:
        return x
    return jax.lax.with_sharding_constraint(x, PartitionSpec(AXIS))


def spread(x: Array) -> Array:
    """An array (N, ...) split among the devices, filled up with copies of its last row.

    For programs whose rows do not depend on each other; `whole` drops what was filled in.
    """
    if devices() == 1:
        return x
    missing = -len(x) % devices()
    if missing:
        x = jnp.concatenate([x, jnp.repeat(x[-1:], missing, axis=0)])
    return split(x)


def whole(x: Array, n: int) -> Array:
    """The first `n` rows of what was made of spread ones, the same on each device.

    Each process of several can fetch such an array.
    """
    if devices() == 1:
        return x
    return jax.lax.with_sharding_constraint(x, PartitionSpec())[:n]


def join(*batches: Array) -> Array:
    """K batches (N, ...) as one of (K·N, ...), for one pass over all; `parts` takes it apart.

    Each device's rows of all batches stand together: with one device the batches follow one
    another, with several this is another order.
    """
    count = _sharing(len(batches[0]))
    if count == 1:
        return jnp.concatenate(batches)
    by_device = [x.reshape(count, -1, *x.shape[1:]) for x in batches]
    return split(jnp.concatenate(by_device, axis=1).reshape(-1, *batches[0].shape[1:]))


def parts(x: Array, count: int) -> list[Array]:
    """The `count` batches (N, ...) that `join` made one of (count·N, ...)."""
    sharing = _sharing(len(x) // count)
    if sharing == 1:
        return jnp.split(x, count)
    by_device = x.reshape(sharing, count, -1, *x.shape[1:])
    return [split(by_device[:, index].reshape(-1, *x.shape[1:])) for index in range(count)]


def side_by_side(x: Array, count: int) -> Array:
    """Each `count` neighbouring rows of (N, ..., F) as one row: (N / count, ..., count F).

    Neighbours are on one device, so that nothing travels as long as the devices divide N / count.
    """
    if count == 1:
        return x
    together = split(x.reshape(-1, count, *x.shape[1:]))
    beside = jnp.moveaxis(together, 1, -2)
    return split(beside.reshape(*beside.shape[:-2], -1))


def one_by_one(x: Array, count: int) -> Array:
    """The rows (N, ..., F) that `side_by_side` made one of (N / count, ..., count F)."""
    if count == 1:
        return x
    beside = split(x).reshape(*x.shape[:-1], count, -1)
    together = split(jnp.moveaxis(beside, -2, 1))
    return split(together.reshape(-1, *together.shape[2:]))


def rows(x_TNF: Array) -> Array:
    """Time and batch merged, (R, F), for one product over both; `by_time` takes them apart."""
    time, batch, width = x_TNF.shape
    count = _sharing(batch)
    if count == 1:
        return x_TNF.reshape(-1, width)
    return split(x_TNF.reshape(time, count, -1, width).swapaxes(0, 1).reshape(-1, width))


def by_time(x_RF: Array, time: int) -> Array:
    """The rows that `rows` merged as (T, N, F) again."""
    batch, width = len(x_RF) // time, x_RF.shape[-1]
    count = _sharing(batch)
    if count == 1:
        return x_RF.reshape(time, batch, width)
    return split(x_RF).reshape(count, time, -1, width).swapaxes(0, 1).reshape(time, batch, width)


def by_device(function: Callable[..., Any], *arrays: Array) -> Any:
    """`function` of each device's own rows of arrays (N, ...), to arrays of as many rows.

    For what XLA does not divide by itself, such as `jax.lax.top_k`.
    """
    if devices() == 1 or _sharing(len(arrays[0])) == 1:
        return function(*arrays)
    spec = PartitionSpec(AXIS)
    return jax.shard_map(function, in_specs=spec, out_specs=spec)(*arrays)


def take(x_RF: Array, rows_R: Array, batch: int) -> Array:
    """`x_RF[rows_R]`, (R, ...), where each row comes from one of the same example of N = `batch`.

    XLA does not know that, and would gather all rows on each device.
    """
    if _sharing(batch) == 1:
        return x_RF[rows_R]

    def own(x_RF: Array, rows_R: Array) -> Array:
        return x_RF[rows_R - jax.lax.axis_index(AXIS) * len(x_RF)]

    return by_device(own, x_RF, rows_R)


def _sharing(batch: int) -> int:
    """How many devices share a batch of this size."""
    count = devices()
    return 1 if count > 1 and batch % count else count
