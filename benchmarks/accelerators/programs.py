"""Compiles the training program of an experiment for described devices, and counts what it does.

    python -m benchmarks.accelerators.programs dcgan v5e:2x2 256 float32

prints one JSON object. Each compilation is such a process: what the compiler aborts on ends that
one alone, its memory is given back, and its variables are set before JAX starts.

The program is the one that training runs, a dispatch of steps; its figures are of one step, the
body of its loop. It is compiled from shapes: nothing is trained. A data set with fewer examples
than the batch is repeated until it has as many, which the table's memory includes.
"""

import dataclasses
import hashlib
import importlib
import importlib.metadata
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.accelerators.described import (
    Topology,
    devices,
    environment,
    gpu_topology,
    tpu_topology,
)
from jaxgen.errors import JaxgenError

Row = dict[str, Any]
COUNTED = "1"
"""Another number when programs are counted another way: figures kept before are not used again."""
FOLDER = Path(__file__).parents[2] / "experiments"
OF_OTHERS = ("fashion_r3gan",)
"""Experiments that add no program: networks and recipe are another one's, and the data have to be
installed."""


def experiments() -> list[str]:
    """Every file of `experiments/` with a configuration of a training."""
    configured = re.compile(r"^config = ", re.MULTILINE)
    return sorted(path.stem for path in FOLDER.glob("*.py") if configured.search(path.read_text()))


def topology_of(name: str) -> Topology:
    """The topology of a name, `Topology.name`."""
    return tpu_topology(name) if ":" in name else gpu_topology(name)


def lowered(config: Any, batch: int, mesh_devices: list[Any]) -> Any:
    """The program of a dispatch of a configuration, `jax.stages.Lowered`.

    Args:
        config: an experiment's, whose own batch size decides on its schedule.
        batch: examples a step, of all devices together.
        mesh_devices: described or real ones.

    Raises:
        JaxgenError: the batch does not divide among the devices.
    """
    import jax
    import numpy as np

    from jaxgen.training.loop import Loop
    from jaxgen.training.mesh import make_mesh

    task = config.task()
    if batch > task.source.size:
        arrays = jax.tree.map(
            lambda array: np.resize(array, (batch, *array.shape[1:])), task.source.arrays
        )
        source = dataclasses.replace(task.source, size=batch, arrays=arrays)
        task = dataclasses.replace(task, source=source)
    config = dataclasses.replace(config, batch_size=batch)
    return Loop(task, config, make_mesh(mesh_devices)).lowered()


def figures(program: Any) -> Row:
    """What a compiled program does in a step, and the memory it needs; for one device.

    Args:
        program: `jax.stages.Compiled`, of a program that `lowered` made.
    """
    from benchmarks.accelerators.traffic import memory_bytes
    from benchmarks.compiled_text import Program, collectives, product_flops

    step = Program(program.as_text()).of_a_step()
    memory = program.memory_analysis()
    costs = program.cost_analysis() or {}
    found = [
        {"kind": one.kind, "bytes": one.bytes, "times": one.times, "source": one.source}
        for one in collectives(step)
    ]
    return {
        "product_flops": product_flops(step),
        "memory_bytes": memory_bytes(step),
        "collectives": found,
        "peak_bytes": memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.generated_code_size_in_bytes,
        # XLA's own count: all arithmetic, but loops as one turn and memory on the chip too.
        "xla_flops": costs.get("flops"),
        "xla_bytes_accessed": costs.get("bytes accessed"),
    }


def row(experiment: str, topology: Topology, batch: int, precision: str, known: str = "") -> Row:
    """Compiles, and tells what was found.

    Args:
        experiment: a file of `experiments/`.
        topology: the devices.
        batch: examples a step, of all devices together.
        precision: "float32" or "bfloat16".
        known: SHA-256 of the program whose figures are known; nothing is compiled if it is the same
            still.

    Returns:
        `figures`, and "program_sha256", "seconds" to compile, "devices" of the program; without
        figures if they are known.
    """
    there = devices(topology)
    config = importlib.import_module(f"experiments.{experiment}").config
    config = dataclasses.replace(config, precision=precision)
    before = lowered(config, batch, there)
    versions = [importlib.metadata.version(name) for name in _compilers(topology)]
    text = "\n".join([before.as_text(), topology.name, *versions, COUNTED])
    found: Row = {"program_sha256": hashlib.sha256(text.encode()).hexdigest()}
    found["devices"] = len(there)
    if found["program_sha256"] == known:
        return found
    start = time.perf_counter()
    program = before.compile()
    return found | {"seconds": time.perf_counter() - start} | figures(program)


def _compilers(topology: Topology) -> tuple[str, ...]:
    return ("jaxlib", "libtpu") if topology.is_tpu else ("jaxlib", "jax-cuda12-pjrt")


def main() -> None:
    """The command, which `benchmarks.accelerators` runs for each program."""
    os.environ.update(environment())
    experiment, name, batch, precision, *known = sys.argv[1:]
    try:
        print(json.dumps(row(experiment, topology_of(name), int(batch), precision, *known)))
    except JaxgenError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
