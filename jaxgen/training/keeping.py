"""Where training data are kept while training goes on: on the device, on the host, or in files.

K steps of a dispatch, B examples of a batch.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, memory
from jaxgen.training.state_size import device_memory
from jaxgen.training.task import KeepData, PyTree, Source, TrainConfig

Place = Literal["device", "host", "stream"]
MOST_CHUNK = 2**26
"""Bytes of the examples of a dispatch; while it runs the next ones are prepared."""
_SHARE = 4  # of the memory that data may take: a set that fits leaves room for what is trained


def place(keep: KeepData, size: int, *, in_memory: bool, how_to_stream: str = "") -> Place:
    """Where data are to be kept.

    The answer depends on sizes that are the same at each start, and for each process of a job.

    Args:
        keep: what was asked for.
        size: bytes that all of the data take.
        in_memory: whether they are there already, because they can only be loaded.
        how_to_stream: where they are, what to do to have them read instead, a clause.

    Raises:
        JaxgenError: they are to be read from their file, and can only be loaded.
    """
    if keep == "stream" and in_memory:
        raise JaxgenError(
            f"{flag('keep_data')} stream: this set is loaded whole"
            + (f"; {how_to_stream}" if how_to_stream else f"; leave {flag('keep_data')} at auto")
        )
    if keep != "auto":
        return keep
    if fits(size, device_memory()):
        return "device"
    return "host" if in_memory or fits(size, None) else "stream"


def fits(size: int, most: int | None) -> bool:
    """Whether data are small beside a device's memory, or beside the machine's if that is None."""
    most = memory.total() if most is None else most
    return most is None or size <= most // _SHARE


def streamed(
    size: int,
    gather: Callable[[np.ndarray], dict[str, np.ndarray]],
    example_bytes: int,
    config: TrainConfig,
    beside: Callable[[], PyTree],
) -> Source:
    """Batches that are gathered on the host, for each dispatch.

    Args:
        size: examples.
        gather: places (K, B) -> arrays of the same leading axes.
        example_bytes: of one example.
        config: whose batches they are.
        beside: arrays that tell the data from others, as far as that does not need all of them to
            be read from files.

    Raises:
        JaxgenError: memory does not hold the examples of two steps.
    """
    step_bytes = max(1, config.batch_size * config.replicas * example_bytes)
    memory.refuse_too_much(
        2 * 2 * step_bytes,
        f"the examples of two steps, {config.batch_size * config.replicas} each,",
        f"give a smaller {flag('batch_size')}",
    )
    # Dispatches of equal length between log lines: of a shorter one the rest is gathered in vain.
    parts = -(-config.log_every // max(1, MOST_CHUNK // step_bytes))
    return Source(
        size,
        {},
        chunk=gather,
        batch=lambda arrays, batch: batch,
        most_steps=-(-config.log_every // parts),
        beside=beside,
    )


def on_host(arrays: dict[str, np.ndarray], config: TrainConfig) -> Source:
    """Batches of arrays with one leading axis, which stay in the host's memory.

    Args:
        arrays: by name.
        config: whose batches they are.
    """
    size = len(next(iter(arrays.values())))
    example_bytes = sum(
        array.dtype.itemsize * math.prod(array.shape[1:]) for array in arrays.values()
    )

    def gather(index_KB: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array[index_KB] for name, array in arrays.items()}

    return streamed(size, gather, example_bytes, config, lambda: arrays)
