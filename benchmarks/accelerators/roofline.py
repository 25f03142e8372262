"""How many steps a second a chip could take at best, from what its program does and peak rates.

A step takes no less time than its products at the chip's peak, its bytes at the memory's and what
it sends at the links': the longest of the three, as if each ran at its peak and all at the same
time (Williams et al. 2009, https://doi.org/10.1145/1498765.1498785). It is a bound, not a forecast:
the latencies of operations and collectives, the vector unit's work and small arrays that fill no
matrix unit are not in it, and they rule steps as short as these. Where memory is the longest it is
no strict bound on GPUs: of the bytes of `traffic` those found in the cache cost less.
"""

from typing import Any, NamedTuple

from benchmarks.accelerators.described import Topology

Row = dict[str, Any]


class Bound(NamedTuple):
    """Seconds of a step, at the least, by what needs them."""

    products: float
    memory: float
    links: float

    @property
    def steps_a_second(self) -> float:
        """At most; infinite for a program that does nothing."""
        return 1 / max(self) if max(self) else float("inf")

    @property
    def by(self) -> str:
        """What needs the most time."""
        return self._fields[self.index(max(self))]


def bound(row: Row, topology: Topology) -> Bound:
    """The bound of a program.

    Args:
        row: of `benchmarks.accelerators.programs.row`.
        topology: that it was compiled for.
    """
    chip, links = topology.chip, topology.link_rate
    rate = chip.bf16 if row.get("precision") == "bfloat16" else chip.default
    sent = sum(
        one["times"] * sent_bytes(one["kind"], one["bytes"], row["devices"])
        for one in row["collectives"]
    )
    return Bound(
        products=row["product_flops"] * chip.devices / rate,
        memory=row["memory_bytes"] * chip.devices / chip.memory_rate,
        links=sent * chip.devices / links if links else 0.0,
    )


def sent_bytes(kind: str, size: float, devices: int) -> float:
    """Bytes that each device sends in a collective, at the least.

    Args:
        kind: of the collective.
        size: bytes of what a device gives or of what it gets, whichever is more.
        devices: how many take part.
    """
    if kind in ("collective-permute", "collective-broadcast"):
        return size
    others = (devices - 1) / devices
    # A reduction for all is one that scatters and one that gathers.
    return (2 if kind == "all-reduce" else 1) * others * size
