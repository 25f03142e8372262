"""What was run, on what and when: kept as training begins, and told in words."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import jaxgen
from jaxgen.training import configs
from jaxgen.training.configs import Record
from jaxgen.training.events import Event

_UNKNOWN = "not recorded by the version that wrote the run"


def session(data: str, said: Mapping[str, str]) -> dict[str, Any]:
    """What takes up training now, for `events.jsonl`.

    Args:
        data: hash of the data.
        said: what the command knows: "command", "hardware".
    """
    names = ("jax", "jaxlib", "flax", "optax", "numpy")
    return {
        **said,
        "jaxgen": jaxgen.__version__,
        "commit": configs.commit(),
        "versions": {"python": platform.python_version()} | {n: version(n) for n in names},
        "system": f"{platform.system()} {platform.release()} on {platform.machine()}",
        "cores": os.cpu_count(),
        "data": data,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def facts(
    record: Record, summary: Mapping[str, Any], events: Sequence[Event]
) -> list[tuple[str, str]]:
    """What was run, in words; what was not recorded is named."""
    began = [event for event in events if event["kind"] == "began"]
    told = [("kind", str(record.config.get("type", "")))]
    for event in began[-20:]:
        when = f"from step {event['step']}" if len(began) > 1 else "command"
        told.append((when, str(event.get("command") or "called from Python")))
    newest = began[-1] if began else {}
    versions = newest.get("versions") or summary.get("versions")
    joined = (
        ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, dict) else ""
    )
    seconds = summary.get("wall_seconds")
    took = "not known yet"
    if isinstance(seconds, int | float) and 0 <= seconds < 1e12:
        took = duration(seconds)
    told += [
        ("jaxgen", record.jaxgen or _UNKNOWN),
        ("commit", record.commit or "unknown: jaxgen did not run from a checkout"),
        ("versions", joined or _UNKNOWN),
        ("hardware", str(newest.get("hardware") or summary.get("device") or _UNKNOWN)),
        ("system", str(newest.get("system") or _UNKNOWN)),
        ("hash of the data", str(newest.get("data") or _UNKNOWN)),
        ("begun", str(began[0].get("time", _UNKNOWN)) if began else _UNKNOWN),
        ("ended", str(summary.get("time") or "not yet")),
        ("training took", took),
        ("steps a second", str(summary.get("steps_per_second") or "not known yet")),
        ("hash of the checkpoint", str(summary.get("parameters_sha256") or "none yet")),
    ]
    about = {k: v for k, v in record.about.items() if not (isinstance(v, list) and len(v) > 8)}
    told += [(f"data: {name}", str(value)) for name, value in about.items()]
    return told


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    if minutes < 60:
        return f"{minutes:.1f} min"
    return f"{minutes / 60:.1f} h" if minutes < 2880 else f"{minutes / 1440:.1f} days"
