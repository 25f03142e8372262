"""`metrics.csv` of a run: a row a step, a column a metric.

Beside it, `metrics.sha256` has the file's checksum and how many of its bytes that covers, so that a
changed digit does not pass for a measurement.
"""

import csv
import hashlib
import io
import math
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from jaxgen.display.replacing import PARTIAL, replacing, sync

History = dict[str, tuple[np.ndarray, np.ndarray]]
"""Each metric by name: the steps at which it was taken, int (S,), and its values, float (S,)."""


def read_metrics(path: Path) -> History:
    """`metrics.csv` as name -> (steps, values); what is missing or damaged is left out."""
    names, rows = _sound_rows(path, sys.maxsize)
    found = {
        name: [(int(row["step"]), float(row[name])) for row in rows if row[name]] for name in names
    }
    return {
        name: (np.array([s for s, _ in pairs]), np.array([v for _, v in pairs]))
        for name, pairs in found.items()
        if pairs
    }


def newest_metrics(path: Path) -> tuple[int, dict[str, float]]:
    """The last step of `metrics.csv`, and of each metric the newest value; its end alone is read.

    Of metrics that are taken now and then, those further up than `_END` bytes are not found.
    """
    if not path.is_file():
        return 0, {}
    with path.open("rb") as file:
        head = file.readline(_LONGEST)
        place = max(len(head), path.stat().st_size - _END)
        file.seek(place)
        end = file.read(_END)
    if place > len(head):
        end = end.partition(b"\n")[2]  # a row of which the first part is missing
    lines = io.StringIO((head + end).decode("utf-8", "replace"), newline="")
    step, found = 0, dict[str, float]()
    try:
        reader = csv.DictReader(_lines(lines))
        names = [name for name in reader.fieldnames or [] if name != "step"]
        if "step" not in (reader.fieldnames or []):
            return 0, {}
        for row in reader:
            if _is_sound(row, names):
                step = max(step, int(row["step"]))
                found |= {name: float(row[name]) for name in names if row[name]}
    except csv.Error:
        pass  # what came before it is kept
    return step, found


def has_step(path: Path, step: int) -> bool:
    """Whether `metrics.csv` holds a sound row of a step."""
    return any(int(row["step"]) == step for row in _sound_rows(path, step)[1])


def metrics_of(row: Mapping[str, str]) -> dict[str, float]:
    """The numbers of a row, by the metric's name."""
    return {name: float(value) for name, value in row.items() if name != "step"}


class MetricsFile:
    """The file as it is written; cut back to `start` steps when a run goes on from there."""

    def __init__(self, path: Path, start: int) -> None:
        """Opens the file of a run that goes on after `start` steps.

        Where it does not hold one sound row for each of these steps, or is not as it was written,
        it is set aside, a warning says so, and the rows that can be read are kept.
        """
        self._path, self._mark = path, path.with_suffix(".sha256")
        self._names, rows = _sound_rows(path, start)
        if len(rows) < start or not _is_as_written(path, self._mark):
            aside = ""
            if path.is_file():
                shutil.copyfile(path, path.with_name(f"damaged-{path.name}"))
                aside = f"; the file as it was is now damaged-{path.name}"
            sound = " but is not as it was written" if len(rows) == start else ""
            print(
                f"warning: {path} has sound rows for {len(rows)} of {start} steps{sound}{aside}",
                file=sys.stderr,
            )
        self._write(rows)

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows that have a `step`; a metric not seen before adds a column."""
        rows = list(rows)
        new = [n for row in rows for n in row if n != "step" and n not in self._names]
        if new:
            self._names += dict.fromkeys(new)
            if self._path.is_file():
                with self._path.open(newline="") as file:
                    rows = [*csv.DictReader(file), *rows]
            self._write(rows)
            return
        lines = io.StringIO(newline="")
        csv.DictWriter(lines, ["step", *self._names], restval="").writerows(rows)
        with self._path.open("ab") as file:
            file.write(lines.getvalue().encode())
        self._cover(lines.getvalue().encode())

    def sync(self) -> None:
        """Bring what was added to the disk."""
        sync(self._path)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with replacing(self._path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", *self._names], restval="")
            writer.writeheader()
            writer.writerows(rows)
            self._mark.unlink(missing_ok=True)  # of the old file
        self._digest, self._covered = hashlib.sha256(), 0
        self._cover(self._path.read_bytes())

    def _cover(self, added: bytes) -> None:
        """Write the checksum of the file, which was lengthened by `added`."""
        self._digest.update(added)
        self._covered += len(added)
        # In one piece, but not to the disk at once: without it the file is read unchecked.
        temporary = self._mark.with_name(f"{PARTIAL}{self._mark.name}")
        temporary.write_text(f"{self._covered} {self._digest.hexdigest()}\n")
        temporary.replace(self._mark)


def _sound_rows(path: Path, start: int) -> tuple[list[str], list[dict[str, str]]]:
    """The metrics of a file, and its sound rows of steps 1 to `start`, one for each step."""
    if not path.is_file():
        return [], []
    rows: dict[int, dict[str, str]] = {}
    # The last line of a killed run may be cut short, even within its step; damage may be anywhere.
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        try:
            reader = csv.DictReader(_lines(file))
            names = [name for name in reader.fieldnames or [] if name != "step"]
            if "step" not in (reader.fieldnames or []) or not all(map(_NAME.fullmatch, names)):
                return [], []
            for row in reader:
                if _is_sound(row, names) and 1 <= int(row["step"]) <= start:
                    rows.setdefault(int(row["step"]), row)
        except csv.Error:
            pass  # what came before it is kept
    return names, [rows[step] for step in sorted(rows)]


def _is_as_written(path: Path, mark: Path) -> bool:
    """Whether the part of the file that a checksum covers has that checksum, if there is one."""
    try:
        covered, expected = mark.read_text().split()
        with path.open("rb") as file:
            return hashlib.sha256(file.read(int(covered))).hexdigest() == expected
    except (OSError, ValueError):  # none, or one that a loss of power has cut
        return True


def _lines(file: TextIO) -> Iterator[str]:
    """Its lines up to one that is too long, such as the zeros that a loss of power may leave."""
    while line := file.readline(_LONGEST):
        if len(line) == _LONGEST:
            return
        yield line


_END = 2**18  # bytes
_LONGEST = 2**20  # characters of a line
_NAME = re.compile(r"[A-Za-z0-9_.:/-]+")
_STEP = re.compile(r"[0-9]{1,18}")  # an int64


def _is_sound(row: dict[Any, Any], names: list[str]) -> bool:
    """Whether a row has a step, a cell for each name, and numbers or nothing in the cells."""
    if None in row or None in row.values() or not _STEP.fullmatch(str(row["step"])):
        return False
    try:
        return all(not row[name] or math.isfinite(float(row[name])) for name in names)
    except ValueError:
        return False
