"""`jaxgen runs DIR`: the runs in a folder, how they stand and what they reached."""

import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxgen.commands import cli, tables
from jaxgen.errors import JaxgenError

_MOST_FOLDERS, _DEEPEST = 20_000, 6
_MOST_FILES = 200_000  # of one run that are measured


@dataclass(frozen=True)
class RunsConfig:
    """List the runs in a folder and below it: state, step, main figure, age, size."""

    folder: Annotated[str, tyro.conf.Positional] = "."
    """Where to look."""
    sort: Literal["age", "name", "state", "step", "figure", "size"] = "age"
    """What to sort by; the newest, the longest, the best and the largest come first."""
    json: bool = False
    """Print a list of JSON objects instead."""


@dataclass(frozen=True)
class Listed:
    """A run as the list has it."""

    run: str
    state: str
    """running, finished, interrupted, diverged, or unreadable."""
    step: int = 0
    steps: int = 0
    figure: str = ""
    """The name of the main figure."""
    value: float | None = None
    written: str = "-"
    better: str = ""
    age: float = 0
    """Seconds since anything in it changed."""
    size: int = 0
    """Bytes of all its files."""
    reason: str = ""
    """Why it cannot be read, or diverged."""


def main(argv: Sequence[str]) -> int:
    """List as the command line says."""
    config = cli.parse_command(RunsConfig, argv, "jaxgen runs")
    folder = Path(config.folder)
    if not folder.is_dir():
        kind = "is not a folder" if folder.exists() else "is not there"
        raise JaxgenError(f"{folder} {kind}")
    found = sorted([_listed(run, folder) for run in _runs(folder)], key=_ORDER[config.sort])
    if config.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return 0
    if not found:
        print(f"there are no runs in {folder}")
        return 0
    sides = [("run", "left"), ("state", "left"), ("step", "right"), ("figure", "left")]
    sides += [("value", "right"), ("age", "right"), ("size", "right"), ("", "left")]
    rows = [
        [
            one.run,
            one.state,
            f"{one.step:,} of {one.steps:,}",
            one.figure,
            one.written,
            _ago(one.age),
            _bytes(one.size),
            one.reason,
        ]
        for one in found
    ]
    tables.show(tables.table("", sides, rows))
    return 0


def _best_first(one: Listed) -> tuple[str, bool, float]:
    value = one.value or 0.0
    return one.figure, one.value is None, -value if one.better == "higher" else value


_ORDER = {
    "age": lambda one: (one.age, one.run),
    "name": lambda one: one.run,
    "state": lambda one: (one.state, one.age),
    "step": lambda one: (-one.step, one.run),
    "figure": _best_first,
    "size": lambda one: (-one.size, one.run),
}


def _runs(folder: Path) -> Iterator[Path]:
    """The folders of runs; nothing is looked for inside of one, and no link is followed."""
    seen, waiting = 0, [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        seen += 1
        if seen > _MOST_FOLDERS:
            raise JaxgenError(
                f"{folder} holds more than {_MOST_FOLDERS} folders: name one below it"
            )
        if (place / "config.json").is_file():
            yield place
            continue
        if depth == _DEEPEST:
            continue
        try:
            with os.scandir(place) as entries:
                below = [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # what may not be read holds no run for this user
        waiting += [(path, depth + 1) for path in sorted(below, reverse=True)]


def _listed(path: Path, folder: Path) -> Listed:
    from jaxgen.training import told_run

    name = str(path.relative_to(folder)) if path != folder else path.resolve().name
    size, changed = _measured(path)
    age = max(0.0, time.time() - changed)
    try:
        found = told_run.read(path)
    except (JaxgenError, OSError) as error:
        return Listed(name, "unreadable", age=age, size=size, reason=str(error))
    now = told_run.in_short(found)
    return Listed(
        name,
        now.state,
        now.step,
        now.steps,
        now.figure,
        now.value,
        now.written or "-",
        now.better,
        round(age, 1),
        size,
        now.end,
    )


def _measured(path: Path) -> tuple[int, float]:
    """Bytes in a folder, and when the newest of its files was changed."""
    size, changed, seen = 0, path.stat().st_mtime, 0
    for place, _, names in os.walk(path):
        for name in names:
            seen += 1
            if seen > _MOST_FILES:
                return size, changed
            try:
                found = os.lstat(os.path.join(place, name))
            except OSError:
                continue  # a file that training has just replaced
            size += found.st_size if stat.S_ISREG(found.st_mode) else 0
            changed = max(changed, found.st_mtime) if name != ".lock" else changed
    return size, changed


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
