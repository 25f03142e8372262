"""The devices that programs run on, and how arrays lie on them.

All devices stand along one axis, 'data'; one CPU is the smallest case of it. A batch is split along
that axis, everything else is the same on each device.
"""

from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.nn.batch_axis import AXIS


def make_mesh(devices: Any = None) -> Mesh:
    """A mesh of these devices, of all by default."""
    devices = jax.devices() if devices is None else list(devices)
    # Explicit axes, the default since JAX 0.10, break gathers such as nn.Embed.
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on each device."""
    return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh) -> NamedSharding:
    """For arrays (steps, batch, ...): an equal part of each batch on each device."""
    return NamedSharding(mesh, PartitionSpec(None, AXIS))


def on_cpu(mesh: Mesh, **options: Any) -> dict[str, Any]:
    """Options for XLA where a mesh is of CPUs, none elsewhere."""
    return options if mesh.devices.flat[0].platform == "cpu" else {}
