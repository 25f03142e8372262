"""Devices that are described, not there: a TPU's grid or a number of GPUs.

libtpu compiles for a grid that it is told the name of; the CUDA compiler for a GPU whose figures it
is told. Neither needs a chip or a driver.

libtpu lets one process of a machine in at a time, even one that only describes: while it runs there
is a file /tmp/libtpu_lockfile, and a second process fails with "Internal error when accessing
libtpu multi-process lockfile" (seen with libtpu 0.0.42). `ALLOW_MULTIPLE_LIBTPU_LOAD`, which
`environment` sets, lifts that: there is no chip here that two could want.
"""

import importlib.util
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.accelerators.chips import Chip, chip
from jaxgen.errors import JaxgenError

COUNTS = (1, 4, 16, 64, 256)
_GRIDS = {
    4: {1: "1x1", 4: "2x2", 16: "4x4", 64: "8x8", 256: "16x16"},
    6: {1: "1x1x1", 4: "2x2x1", 16: "2x2x4", 64: "4x4x4", 256: "4x8x8"},
}
_GPUS_OF_A_MACHINE = 8
# XLA asks a GPU for these figures; the sources are those of `chips`, and CUDA's tables of compute
# capabilities 9.0 and 8.0.
_GPU_TEXT = """
gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_block_optin: {optin}
  shared_memory_per_core: {shared} core_count: {cores} fpus_per_core: {units}
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  memory_bandwidth: {rate} l2_cache_size: {cache} clock_rate_ghz: {clock}
  device_memory_size: {memory}
  cuda_compute_capability {{ major: {major} }}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 }}
"""
_GPU_FIGURES: dict[str, dict[str, Any]] = {
    "h100": {
        **{"optin": 232448, "shared": 233472, "cores": 132, "units": 128, "cache": 50 * 2**20},
        **{"clock": 1.98, "major": 9},
    },
    "a100": {
        **{"optin": 166912, "shared": 167936, "cores": 108, "units": 64, "cache": 40 * 2**20},
        **{"clock": 1.41, "major": 8},
    },
}


@dataclass(frozen=True)
class Topology:
    """Chips of one kind, and how they stand."""

    kind: str
    """The chip's name."""
    sides: tuple[int, ...]
    """Of a TPU's grid, or the number of GPUs."""

    @property
    def is_tpu(self) -> bool:
        """Whether its chips are TPUs."""
        return self.chip.ports > 1

    @property
    def chip(self) -> Chip:
        """The published figures of one chip."""
        return chip(self.kind)

    @property
    def chips(self) -> int:
        """How many there are."""
        return math.prod(self.sides)

    @property
    def name(self) -> str:
        """As it is written: v5e:4x4, h100x8."""
        return f"{self.kind}{':' if self.is_tpu else 'x'}{'x'.join(map(str, self.sides))}"

    @property
    def link_rate(self) -> float:
        """Bytes/s that a chip can send: along each axis of a grid one link, two in a torus.

        A chip at the end of a row that is not closed has one link along it, and a reduction goes no
        faster than its slowest chip. GPUs of several machines are as fast as their network.
        """
        one = self.chip
        if not self.is_tpu:
            return one.link_rate if self.chips <= _GPUS_OF_A_MACHINE else one.network_rate
        links = sum(0 if side == 1 else 2 if side >= one.torus_from else 1 for side in self.sides)
        return one.link_rate * links / one.ports

    def of(self, chips: int) -> "Topology":
        """As many chips of the same kind, in the grid that its maker lists.

        Raises:
            JaxgenError: there is no such grid.
        """
        if not self.is_tpu:
            return Topology(self.kind, (chips,))
        grids = _GRIDS[self.chip.ports]
        if chips not in grids:
            raise JaxgenError(
                f"--chips {chips}: the number of chips must be one of {', '.join(map(str, grids))}"
            )
        return Topology(self.kind, tuple(map(int, grids[chips].split("x"))))


def tpu_topology(text: str) -> Topology:
    """What `--topology` names.

    Raises:
        JaxgenError: it is not the name of a grid of chips whose rates are known.
    """
    found = re.fullmatch(r"(v\w{1,4}):(\d{1,4}(?:x\d{1,4}){1,2})", text)
    if not found or not chip(found[1]).ports > 1:
        raise JaxgenError(
            f"--topology {text!r} must be a kind of TPU and its grid, such as v5e:4x4"
        )
    return _positive(Topology(found[1], tuple(map(int, found[2].split("x")))), "--topology", text)


def gpu_topology(text: str) -> Topology:
    """What `--gpu` names.

    Raises:
        JaxgenError: it is not a number of GPUs whose rates are known.
    """
    found = re.fullmatch(r"([a-z]\d{1,4})x(\d{1,4})", text)
    if not found or chip(found[1]).ports > 1:
        raise JaxgenError(f"--gpu {text!r} must be a kind of GPU and their number, such as h100x8")
    return _positive(Topology(found[1], (int(found[2]),)), "--gpu", text)


def _positive(topology: Topology, flag: str, text: str) -> Topology:
    if not 1 <= topology.chips <= 2**14:
        raise JaxgenError(f"{flag} {text!r} has {topology.chips} chips; give 1 to {2**14}")
    return topology


def environment(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables under which JAX describes devices, and looks for none; set before it starts.

    Args:
        variables: those that are there already.
    """
    return {
        **variables,
        "JAX_PLATFORMS": "cpu",
        "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
        "TPU_SKIP_MDS_QUERY": "1",  # there is no metadata server to ask
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "TPU_ACCELERATOR_TYPE": "v5litepod-4",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_LOG_DIR": "disabled",
        "TPU_MIN_LOG_LEVEL": "3",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def refuse_missing(topology: Topology) -> None:
    """Raises JaxgenError if the package that compiles for a topology is not installed."""
    package = "libtpu" if topology.is_tpu else "jax_plugins.xla_cuda12"
    try:
        is_there = importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of the package around it
        is_there = False
    if not is_there:
        extra, what = ("tpu", "libtpu") if topology.is_tpu else ("cuda12", "JAX's CUDA packages")
        raise JaxgenError(
            f"{topology.name} needs {what}: pip install 'jax[{extra}]' in an environment of its own"
        )


def devices(topology: Topology) -> list[Any]:
    """JAX's devices of a topology: programs can be compiled for them, and not run.

    Raises:
        JaxgenError: the package that compiles for them is missing, or knows no such topology.
    """
    from jax.experimental import topologies

    refuse_missing(topology)
    try:
        if topology.is_tpu:
            # A host of v5e has four chips by default; a single chip is a host of its own.
            alone = {"chips_per_host_bounds": (1, 1, 1)} if topology.chips == 1 else {}
            described = topologies.get_topology_desc(topology.name, platform="tpu", **alone)
        else:
            hosts = max(1, topology.chips // _GPUS_OF_A_MACHINE)
            described = topologies.get_topology_desc(
                topology.kind,
                platform="cuda",
                target_config=_gpu_text(topology.chip),
                topology=f"1x{hosts}x{topology.chips // hosts}",
            )
    except (RuntimeError, ValueError) as error:
        sentence = str(error).splitlines()[0]
        raise JaxgenError(f"{topology.name} cannot be described: {sentence}") from error
    return list(described.devices)


def _gpu_text(one: Chip) -> str:
    return _GPU_TEXT.format(
        rate=int(one.memory_rate), memory=int(one.memory), **_GPU_FIGURES[one.name]
    )
