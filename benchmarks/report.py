"""What the benchmarks found: a Markdown table, and JSON with machine, versions and date."""

import contextlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from benchmarks.measuring import Row

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch")


def machine() -> dict[str, Any]:
    """Cores that this process may use, the CPU, what JAX runs on, the load of the last minute."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "cpu": _cpu_model(),
        "jax_device": jax.devices()[0].device_kind,
        "load": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {name.strip(): value.strip() for name, value in fields.items()}
    numbers = [f"{n} {names[n]}" for n in ("cpu family", "model") if n in names]
    return ", ".join([names.get("model name", platform.machine()), *numbers])


def document(rows: Sequence[Row], settings: dict[str, Any], about: dict[str, Any]) -> dict:
    """All that is to be known of a run, as JSON values; `about` is the machine at its start."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": about,
        "versions": {"python": platform.python_version(), **versions},
        "settings": settings,
        "rows": list(rows),
    }


def table(content: dict) -> str:
    """Markdown: where and when, and a line for each row."""
    about, versions = content["machine"], content["versions"]
    lines = [
        f"{about['cores']} cores ({about['cpu']}), JAX on {about['jax_device']}, "
        f"load {about['load']} at the start; "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}; "
        f"{content['date'][:10]}.",
        "",
        "| what | jaxgen | peer | | ratio (least to most) | GFLOP/s | of matmul |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(line, content["rows"])])


def line(row: Row) -> str:
    """One row of the table."""
    own, peer, ratio, speed, share = f"{_number(row['jaxgen'])} {row['unit']}", "", "", "", ""
    if "peer" in row:
        peer = f"{_number(row['peer_value'])} {row['unit']}"
        ratio = f"**{row['ratio']:.2f}** ({row['ratio_least']:.2f} to {row['ratio_most']:.2f})"
    if "gflop_per_second" in row:
        speed, share = f"{row['gflop_per_second']:.1f}", f"{row['share_of_matmul']:.0%}"
    cells = [row["title"], own, row.get("peer", ""), peer, ratio, speed, share]
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
