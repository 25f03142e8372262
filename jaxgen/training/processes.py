"""Several processes of one training: what they tell each other, and what they have to agree on.

Each runs the same command and the same programs; the first one (process 0) writes the run's folder
and speaks. With a single process everything here answers at once.
"""

import json
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from jaxgen.display.replacing import PARTIAL
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training import configs

Result = TypeVar("Result")
_SEEN_WITHIN = 10.0  # seconds after which a file of process 0 has reached every host that shares it


def is_first() -> bool:
    """Whether this process is the one that writes and speaks."""
    return jax.process_index() == 0


def gathered(value: Any) -> list[Any]:
    """A JSON value of each process, in their order; all have to ask for it together."""
    if jax.process_count() == 1:
        return [value]
    from jax.experimental import multihost_utils

    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.int32(len(text)))
    # Powers of two, so that few programs are compiled.
    padded = np.zeros(1 << int(sizes.max()).bit_length(), np.uint8)
    padded[: len(text)] = text
    rows = multihost_utils.process_allgather(padded)
    return [json.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)]


def together(work: Callable[[], Result]) -> Result:
    """Do what may be refused on one process only; then all of them end.

    Returns:
        What `work` gives here.

    Raises:
        JaxgenError: `work` raised it here, or on another process, which it names.
        OSError: likewise, here.
    """
    try:
        result, refused = work(), None
    except (JaxgenError, OSError) as error:
        result, refused = None, error
    told = gathered(str(refused) if refused else "")
    if refused:
        raise refused
    for process, sentence in enumerate(told):
        if sentence:
            raise JaxgenError(f"process {process} refused: {sentence}")
    return result  # type: ignore[return-value]


def agreed_signal(noted: list[int]) -> int:
    """The signal that any process was sent; 0 for none.

    All ask at the same step, since a process that stopped alone would leave the others waiting for
    its part of a sum.
    """
    return max(gathered(noted[0] if noted else 0))


def refuse_differences(noun: str, facts: Callable[[], Mapping[str, Any]]) -> None:
    """Compare what all processes must have alike.

    Args:
        noun: what the facts are of, "configuration" for one.
        facts: gives JSON values by name; asked only where there is something to compare.

    Raises:
        JaxgenError: a process has another value than process 0. Every process raises the same.
    """
    if jax.process_count() == 1:
        return
    first, *others = gathered(facts())
    for process, other in enumerate(others, 1):
        for name, here, there in configs.differences(first, other)[:1]:
            raise JaxgenError(
                f"the processes have not the same {noun}: {name} is {_shown(here)} on process 0 "
                f"and {_shown(there)} on process {process}; give all of them the same"
            )


def refuse_unshared(folder: Path) -> None:
    """See whether every process finds in a folder what the first one puts there.

    Raises:
        JaxgenError: one does not.
        OSError: the folder cannot be written.
    """
    if jax.process_count() == 1:
        return

    def put() -> str:
        if not is_first():
            return ""
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / f"{PARTIAL}shared-{platform.node()}-{time.time_ns()}"
        mark.touch()
        return mark.name

    own = together(put)
    mark = folder / gathered(own)[0]
    until = time.monotonic() + _SEEN_WITHIN
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.2)
    seen = gathered([mark.exists(), platform.node()])
    if is_first():
        mark.unlink(missing_ok=True)
    for process, (is_seen, host) in enumerate(seen):
        if not is_seen:
            raise JaxgenError(
                f"process {process} on {host} does not see what process 0 on {seen[0][1]} wrote "
                f"into {folder}: give a {flag('workdir')} in a folder that all hosts share"
            )


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
