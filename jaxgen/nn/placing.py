"""Where weights lie outside of a training loop, and programs that follow them there.

Weights that are on several devices, whole on each, are what tells sampling, decoding and measuring
to split their rows: a mesh is put around programs that use them (`around`), and
`jaxgen.nn.batch_axis` does the rest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.nn.batch_axis import AXIS

PyTree = Any


def make_mesh(devices: Any = None) -> Mesh:
    """A mesh of these devices, of all by default."""
    devices = jax.devices() if devices is None else devices
    # Those of a process side by side, so that it feeds one range of each batch.
    ordered = sorted(devices, key=lambda device: (device.process_index, device.id))
    # Explicit axes, the default since JAX 0.10, break gathers such as nn.Embed.
    return Mesh(np.array(ordered), (AXIS,), axis_types=(AxisType.Auto,))


def on_each_device(weights: PyTree) -> PyTree:
    """Send arrays to the devices, once, to stay there.

    Args:
        weights: a pytree of arrays, in NumPy or of what becomes such; the same in each process.

    Returns:
        The same, whole on each device of the mesh that is around, or on each there is.
    """
    mesh = jax.sharding.get_mesh()
    if AXIS not in mesh.shape:
        mesh = make_mesh()
    sharding = NamedSharding(mesh, PartitionSpec())

    def placed(leaf: Any) -> jax.Array:
        array = np.asarray(leaf)
        if sharding.is_fully_addressable:
            return jax.device_put(array, sharding)
        # Each of several processes has the same array; to compare them would take long.
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    return jax.tree.map(placed, weights)


@contextmanager
def around(weights: PyTree) -> Iterator[None]:
    """Put the mesh of the devices that hold `weights` around what follows.

    Nothing happens where a mesh is around already, for weights of a program that is traced, or of
    one device.
    """
    mesh = _mesh_of(weights)
    if mesh is None or AXIS in jax.sharding.get_abstract_mesh().shape:
        yield
    else:
        with jax.set_mesh(mesh):
            yield


def _mesh_of(weights: PyTree) -> Mesh | None:
    for leaf in jax.tree.leaves(weights):
        if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer):
            sharding = leaf.sharding
            if isinstance(sharding, NamedSharding) and sharding.mesh.shape.get(AXIS, 1) > 1:
                return sharding.mesh if isinstance(sharding.mesh, Mesh) else None
    return None
