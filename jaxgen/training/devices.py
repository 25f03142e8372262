"""Which devices a run trains on, and how a batch divides among them."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import jax

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, memory


def chosen(count: int, there: Sequence[Any] | None = None) -> list[Any]:
    """The devices to train on, an equal number of each process.

    Args:
        count: how many in all; 0 for all there are.
        there: those of all processes; `jax.devices()` by default.

    Returns:
        The first devices of each process, in the order of `there`.

    Raises:
        JaxgenError: there are fewer, or they do not divide among the processes.
    """
    there = list(jax.devices() if there is None else there)
    if not count:
        return there
    asked = f"{flag('devices')} {count}"
    if count > len(there):
        raise JaxgenError(
            f"{asked}: there {'is' if len(there) == 1 else 'are'} {len(there)} "
            f"({there[0].device_kind}); give at most as many, or 0 for all"
        )
    by_process = sorted(there, key=lambda device: device.process_index)
    groups = [list(own) for _, own in groupby(by_process, lambda device: device.process_index)]
    each, rest = divmod(count, len(groups))
    if rest:
        raise JaxgenError(
            f"{asked} does not divide among {len(groups)} processes, each of which trains on "
            "as many as the others"
        )
    # A process without a device would have nothing to do, and could not follow the others.
    taken = {id(device) for own in groups for device in own[:each]}
    if len(taken) < count:
        raise JaxgenError(f"{asked}: a process has fewer than {each} devices")
    return [device for device in there if id(device) in taken]


def memory_in_words() -> list[str]:
    """What this process takes of the machine's memory now, and of that of its fullest device.

    Returns:
        A phrase for each that the platform tells; CPUs have no memory of their own.
    """
    host = memory.used()
    told = [f"memory {memory.in_words(host)}"] if host else []
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    taken = [bytes_used for one in stats if (bytes_used := one.get("bytes_in_use"))]
    return told + ([f"on device {memory.in_words(max(taken))}"] if taken else [])


def refuse_uneven(batch_size: int, devices: int, examples: int | None = None) -> None:
    """Refuse a batch that does not divide among the devices.

    Args:
        batch_size: examples a step.
        devices: how many share a batch.
        examples: how many there are; a larger batch is not proposed.

    Raises:
        JaxgenError: it does not, the sentence names the nearest sizes that do; or there are fewer
            examples than devices.
    """
    if examples is not None and examples < devices:
        raise JaxgenError(
            f"the data have {examples} examples for {devices} devices, of which each needs one; "
            f"give more data, or fewer devices ({flag('devices')}) or processes"
        )
    if batch_size % devices == 0:
        return
    below = batch_size - batch_size % devices
    near = [size for size in (below, below + devices) if size and size <= (examples or size)]
    advice = f"; {flag('batch_size')} {' or '.join(map(str, near))} does" if near else ""
    raise JaxgenError(
        f"{flag('batch_size')} {batch_size} does not divide among {devices} devices{advice}"
    )
