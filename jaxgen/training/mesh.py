"""The devices that programs run on, and how arrays lie on them.

All devices of all processes stand along one axis, 'data'; one CPU is the smallest case of it. A
batch is split along that axis. The state is the same on each device, or, by `shard_parameters`,
its large arrays are split too.

Where several replicas are trained, each with a state and batches of its own, they lead every array
of these, and an axis 'replica' of the mesh shares them out as far as they divide.
"""

import math
from collections import Counter
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgen.nn.batch_axis import AXIS
from jaxgen.nn.placing import make_mesh as make_mesh

PyTree = Any

REPLICA = "replica"
"""The mesh's axis along which replicas are shared out, where there is one."""
LEAST_SPLIT = 2**12
"""Numbers of an array below which it is not worth to be split: its parts would be fetched more
slowly than it is kept."""


def for_replicas(mesh: Mesh, replicas: int) -> Mesh:
    """The mesh on which so many replicas are trained.

    Args:
        mesh: the devices, along 'data'.
        replicas: how many.

    Returns:
        The same devices in as many rows, along 'replica', as divide both them and the replicas; the
        devices of a row share the batches of its replicas. `mesh` itself where that is one row. A
        process has whole rows or a part of one, so that it feeds one range of each axis.
    """
    count = mesh.devices.size
    each = max(Counter(device.process_index for device in mesh.devices.flat).values())
    rows = max(
        rows
        for rows in range(1, replicas + 1)
        if replicas % rows == count % rows == 0
        and (each % (count // rows) == 0 or count // rows % each == 0)
    )
    if rows == 1:
        return mesh
    return Mesh(mesh.devices.reshape(rows, -1), (REPLICA, AXIS), axis_types=mesh.axis_types * 2)


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on each device."""
    return NamedSharding(mesh, PartitionSpec())


def of_each(mesh: Mesh, replicas: int = 1) -> NamedSharding:
    """For what each replica has one of, whole on each of its devices."""
    return NamedSharding(mesh, PartitionSpec(*_leading(mesh, replicas)))


def split_batch(mesh: Mesh, replicas: int = 1) -> NamedSharding:
    """For arrays (steps, batch, ...): an equal part of each batch on each device."""
    return NamedSharding(mesh, PartitionSpec(*_leading(mesh, replicas), None, AXIS))


def _leading(mesh: Mesh, replicas: int) -> tuple[str | None, ...]:
    """How the axis of replicas lies that leads arrays of several."""
    return () if replicas == 1 else (REPLICA if REPLICA in mesh.shape else None,)


def of_state(shapes: PyTree, mesh: Mesh, shard: bool, replicas: int = 1) -> PyTree:
    """How each array of a state lies on the devices.

    Args:
        shapes: the state, or the shapes of its arrays.
        mesh: the devices.
        shard: whether arrays of `LEAST_SPLIT` numbers and more are split along their longest axis
            that divides among the devices, as fully sharded data parallelism does (Rajbhandari
            et al. 2020, https://arxiv.org/abs/1910.02054, stage 3).
        replicas: whose states lie along the first axis of each array, if they are several.

    Returns:
        A sharding for each array. Parameters, moments and averages of one shape lie alike.
    """
    leading, devices = _leading(mesh, replicas), mesh.shape[AXIS]

    def sharding(leaf: Any) -> NamedSharding:
        shape = leaf.shape[len(leading) :]
        axes = [axis for axis, size in enumerate(shape) if size % devices == 0]
        if not shard or not axes or math.prod(shape) < LEAST_SPLIT or devices == 1:
            return of_each(mesh, replicas)
        longest = max(axes, key=lambda axis: shape[axis])
        return NamedSharding(mesh, PartitionSpec(*leading, *[None] * longest, AXIS))

    return jax.tree.map(sharding, shapes)


def share(mesh: Mesh, shard: bool) -> int:
    """Among how many devices the states of several replicas are shared out."""
    return mesh.shape.get(REPLICA, 1) * (mesh.shape[AXIS] if shard else 1)


def place(value: Any, sharding: NamedSharding) -> jax.Array:
    """An array that each process has, or can read any part of, on the devices.

    Args:
        value: an array, or what has `shape`, `dtype` and gives NumPy arrays by index.
        sharding: how it lies; each process sends what its own devices hold.
    """
    if sharding.is_fully_addressable and isinstance(value, np.ndarray | jax.Array):
        return jax.device_put(value, sharding)
    return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])


def place_part(part: np.ndarray, sharding: NamedSharding, shape: tuple[int, ...]) -> jax.Array:
    """This process's part, `own_columns` of `own_replicas`, of an array of that shape."""
    if sharding.is_fully_addressable:
        return jax.device_put(part, sharding)
    return jax.make_array_from_process_local_data(sharding, part, shape)


def own_columns(mesh: Mesh, columns: int) -> slice:
    """The columns of a batch that this process feeds to its devices."""
    return _own(split_batch(mesh), (1, columns))


def own_replicas(mesh: Mesh, replicas: int) -> slice:
    """The replicas that this process feeds."""
    return _own(of_each(mesh, replicas), (replicas,))


def _own(sharding: NamedSharding, shape: tuple[int, ...]) -> slice:
    """What this process's devices hold along the last axis of an array."""
    size = shape[-1]
    parts = sharding.addressable_devices_indices_map(shape).values()
    bounds = [index[-1].indices(size) for index in parts if index] or [(0, size, 1)]
    return slice(min(start for start, *_ in bounds), max(stop for _, stop, _ in bounds))


def on(platform: str, mesh: Mesh, **options: Any) -> dict[str, Any]:
    """Options for XLA where a mesh is of that platform, "cpu" or "gpu"; none elsewhere."""
    return options if platform_of(mesh) == platform else {}


def platform_of(mesh: Mesh) -> str:
    """ "cpu", "gpu" or "tpu"."""
    # Described devices call a GPU "cuda".
    found = mesh.devices.flat[0].platform
    return "gpu" if found == "cuda" else found
