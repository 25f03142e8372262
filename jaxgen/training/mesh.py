"""The devices that programs run on, and how arrays lie on them.

All devices of all processes stand along one axis, 'data'; one CPU is the smallest case of it. A
batch is split along that axis. The state is the same on each device, or, by `shard_parameters`,
its large arrays are split too.
"""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgen.nn.batch_axis import AXIS
from jaxgen.nn.placing import make_mesh as make_mesh

PyTree = Any

LEAST_SPLIT = 2**12
"""Numbers of an array below which it is not worth to be split: its parts would be fetched more
slowly than it is kept."""


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on each device."""
    return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh) -> NamedSharding:
    """For arrays (steps, batch, ...): an equal part of each batch on each device."""
    return NamedSharding(mesh, PartitionSpec(None, AXIS))


def of_state(shapes: PyTree, mesh: Mesh, shard: bool) -> PyTree:
    """How each array of a state lies on the devices.

    Args:
        shapes: the state, or the shapes of its arrays.
        mesh: the devices.
        shard: whether arrays of `LEAST_SPLIT` numbers and more are split along their longest axis
            that divides among the devices, as fully sharded data parallelism does (Rajbhandari
            et al. 2020, https://arxiv.org/abs/1910.02054, stage 3).

    Returns:
        A sharding for each array. Parameters, moments and averages of one shape lie alike.
    """

    def sharding(leaf: Any) -> NamedSharding:
        axes = [axis for axis, size in enumerate(leaf.shape) if size % mesh.size == 0]
        if not shard or not axes or leaf.size < LEAST_SPLIT or mesh.size == 1:
            return replicated(mesh)
        longest = max(axes, key=lambda axis: leaf.shape[axis])
        return NamedSharding(mesh, PartitionSpec(*[None] * longest, AXIS))

    return jax.tree.map(sharding, shapes)


def place(value: Any, sharding: NamedSharding) -> jax.Array:
    """An array that each process has, or can read any part of, on the devices.

    Args:
        value: an array, or what has `shape`, `dtype` and gives NumPy arrays by index.
        sharding: how it lies; each process sends what its own devices hold.
    """
    if sharding.is_fully_addressable and isinstance(value, np.ndarray | jax.Array):
        return jax.device_put(value, sharding)
    return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])


def place_columns(rows: np.ndarray, sharding: NamedSharding, columns: int) -> jax.Array:
    """This process's columns (steps, part, ...) of an array (steps, `columns`, ...)."""
    if sharding.is_fully_addressable:
        return jax.device_put(rows, sharding)
    shape = (rows.shape[0], columns, *rows.shape[2:])
    return jax.make_array_from_process_local_data(sharding, rows, shape)


def own_columns(mesh: Mesh, columns: int) -> slice:
    """The columns of a batch that this process feeds to its devices."""
    parts = split_batch(mesh).addressable_devices_indices_map((1, columns)).values()
    bounds = [index[1].indices(columns) for index in parts if index] or [(0, columns, 1)]
    return slice(min(start for start, *_ in bounds), max(stop for _, stop, _ in bounds))


def on(platform: str, mesh: Mesh, **options: Any) -> dict[str, Any]:
    """Options for XLA where a mesh is of that platform, "cpu" or "gpu"; none elsewhere."""
    # Described devices call a GPU "cuda".
    found = {"cuda": "gpu"}.get(mesh.devices.flat[0].platform, mesh.devices.flat[0].platform)
    return options if found == platform else {}
