"""What a state takes of memory, told before it is made."""

import math
from collections.abc import Callable
from typing import Any

import jax

from jaxgen.settings.memory import refuse_too_much

PyTree = Any


def fitting(
    init: Callable[[jax.Array, PyTree], PyTree], advice: str, *, shard: bool = False
) -> Callable[[jax.Array, PyTree], PyTree]:
    """A task's `init` that refuses a state for which there is no memory.

    The loop traces it before it runs it: the refusal comes when nothing but shapes is there.

    Args:
        init: (key, batch) -> state
        advice: what to do, a clause.
        shard: whether its arrays are split among the devices.

    Returns:
        The same function; it raises JaxgenError where the state is too large.
    """

    def checked(key: jax.Array, batch: PyTree) -> PyTree:
        state = init(key, batch)
        memory = device_memory()
        # Devices that are the machine's CPU share its memory; each process has a machine.
        parts = (jax.process_count() if memory is None else jax.device_count()) if shard else 1
        # A checkpoint is a copy of it, and so are, on another device, gradients and updates.
        refuse_too_much(2 * size(state) // parts, "training these networks", advice, memory)
        return state

    return checked


def refuse_large_state(states: PyTree, share: int, advice: str) -> None:
    """Refuse the states of several replicas that take more memory than there is.

    Args:
        states: their shapes.
        share: among how many devices they are shared out.
        advice: what to do, a clause.

    Raises:
        JaxgenError: there is no memory for them.
    """
    memory = device_memory()
    parts = min(share, jax.process_count()) if memory is None else share
    refuse_too_much(2 * size(states) // parts, "training all replicas", advice, memory)


def refuse_large(program: Any, advice: str) -> None:
    """Refuse a compiled program that needs more memory than there is.

    Raises:
        JaxgenError: its temporary arrays and arguments do not fit.
    """
    told = program.memory_analysis()
    if told is not None:  # not every platform tells
        needed = told.temp_size_in_bytes + told.argument_size_in_bytes
        refuse_too_much(needed, "a training step", advice, device_memory())


def size(state: PyTree) -> int:
    """Bytes of a pytree of arrays, or of their shapes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def device_memory() -> int | None:
    """Bytes of a device's memory; None of a CPU's, whose memory is the machine's."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return None
    return (device.memory_stats() or {}).get("bytes_limit")
