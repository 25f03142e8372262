"""The tables of what was compiled, as Markdown."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.accelerators.described import Topology
from benchmarks.accelerators.roofline import bound

Row = dict[str, Any]
_SMALL = 1e5
"""Bytes of a collective that is not listed by itself."""


def programs_table(rows: Sequence[Row], topology: Topology, precision: str = "float32") -> str:
    """A line for each experiment on one topology, in one precision."""
    chip = topology.chip
    what = "chip" if chip.devices == 1 else "core"
    lines = [
        f"{topology.name}, {precision}, figures of one {what} and one step. Compiled, not timed.",
        "",
        "| experiment | batch | compiled in | GFLOP | HBM | peak memory | collectives | "
        "steps/s at most | bound by |",
        "|---|---:|---:|---:|---:|---:|---|---:|---|",
    ]
    for row in rows:
        best = bound(row, topology)
        cells = [
            row["experiment"],
            row["batch"],
            f"{row['seconds']:.0f} s",
            number(row["product_flops"] / 1e9),
            megabytes(row["memory_bytes"]),
            megabytes(row["peak_bytes"]),
            collectives(row["collectives"]),
            number(best.steps_a_second),
            best.by,
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, "", rates(topology, precision)])


def scaling_table(
    experiment: str, pairs: Sequence[tuple[Topology, Row | None, Row | None]], batch_a_chip: int
) -> str:
    """A line for each number of chips: at a fixed batch a chip, and at a fixed batch of all.

    Args:
        experiment: its name.
        pairs: the topology, and the row of each; None where the batch does not divide.
        batch_a_chip: of the first.
    """
    lines = [
        f"{experiment}, {pairs[0][0].kind}: {batch_a_chip} examples a chip, and one batch for all.",
        "",
        "| chips | batch | GFLOP | HBM | collectives | steps/s at most | bound by | "
        "batch | GFLOP | HBM | collectives | steps/s at most | bound by |",
        "|---:|---:|---:|---:|---|---:|---|---:|---:|---:|---|---:|---|",
    ]
    for topology, *rows in pairs:
        cells = [str(topology.chips)]
        for row in rows:
            cells += _short(row, topology) if row else [""] * 6
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rates(topology: Topology, precision: str) -> str:
    """The peak rates that a bound comes from, in a sentence."""
    chip = topology.chip
    if precision == "bfloat16":
        products = f"{chip.bf16 / 1e12:g} TFLOP/s for products of bfloat16"
        return f"Peak rates of a {chip.name} as published: {products}; {_others(topology)}"
    float32 = f", {chip.float32 / 1e12:g} in true float32" if chip.float32 else ""
    return (
        f"Peak rates of a {chip.name} as published: {chip.default / 1e12:g} TFLOP/s for float32 "
        f"products at JAX's default precision, which is {chip.default_is}{float32}; "
        f"{_others(topology)}"
    )


def _others(topology: Topology) -> str:
    return (
        f"HBM {topology.chip.memory_rate / 1e9:g} GB/s; to other chips "
        f"{topology.link_rate / 1e9:g} GB/s in {topology.name}."
    )


def collectives(found: Sequence[Row]) -> str:
    """How many there are of each kind, the bytes of all, and of each that is not small."""
    kinds: dict[str, list[float]] = defaultdict(list)
    for one in found:
        kinds[one["kind"]] += [one["bytes"]] * one["times"]
    told = []
    for kind, sizes in kinds.items():
        large = sorted((size for size in sizes if size >= _SMALL), reverse=True)
        each = [number(size / 1e6) for size in large[:4]]
        if len(large) > len(each):
            each.append(f"{len(large) - len(each)} more")
        if small := len(sizes) - len(large):
            each.append(f"{small} under 0.1")
        of = f" ({', '.join(each)})" if len(sizes) > 1 else ""
        told.append(f"{len(sizes)} {kind} {megabytes(sum(sizes))}{of}")
    return "; ".join(told) or "none"


def megabytes(size: float) -> str:
    """Bytes in MB, or in kB where they are few."""
    return f"{number(size / 1e6)} MB" if size >= _SMALL else f"{number(size / 1e3)} kB"


def number(value: float) -> str:
    """Three digits, whole numbers with all of theirs."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _short(row: Row, topology: Topology) -> list[str]:
    best = bound(row, topology)
    return [
        str(row["batch"]),
        number(row["product_flops"] / 1e9),
        megabytes(row["memory_bytes"]),
        collectives(row["collectives"]),
        number(best.steps_a_second),
        best.by,
    ]
