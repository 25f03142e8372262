"""Jobs whose processes are all on this machine, each with simulated devices; for tests too."""

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any


def free_address() -> str:
    """HOST:PORT of this machine that nothing listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{server.getsockname()[1]}"


def place_in_job(coordinator: str, processes: int, process: int) -> list[str]:
    """The flags that make a command one of several processes."""
    return f"--coordinator {coordinator} --processes {processes} --process {process}".split()


def environment(devices: int) -> Mapping[str, str]:
    """That of this process, with so many simulated devices."""
    return os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"}


def start(
    commands: Sequence[Sequence[str]], devices: int, **options: Any
) -> list[subprocess.Popen[str]]:
    """Start the processes of a job; a single one is none of a job.

    Args:
        commands: of each process, without what `place_in_job` gives.
        devices: of each process.
        options: for `subprocess.Popen`.
    """
    coordinator, count = free_address(), len(commands)
    return [
        subprocess.Popen(
            [*command, *(place_in_job(coordinator, count, process) if count > 1 else ())],
            env=environment(devices),
            text=True,
            **options,
        )
        for process, command in enumerate(commands)
    ]
