"""The axis of a batch that is split among devices: what keeps each device's work its own.

A program that is compiled for several devices has its mesh around it (`jax.set_mesh`), with the
axis 'data'. Without one, or with a single device, everything here leaves arrays as they are.
"""

import jax
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
    if devices() == 1:
        return x
    return jax.lax.with_sharding_constraint(x, PartitionSpec(AXIS))
