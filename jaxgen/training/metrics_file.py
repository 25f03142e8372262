"""`metrics.csv` of a run: a row a step, a column a metric."""

import csv
import math
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.display.replacing import replacing

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


class MetricsFile:
    """The file as it is written; cut back to `start` steps when a run goes on from there."""

    def __init__(self, path: Path, start: int) -> None:
        """Opens the file of a run that goes on after `start` steps.

        Where it does not hold one sound row for each of these steps, it is set aside, a warning
        says so, and the rows that can be trusted are kept.
        """
        self._path = path
        self._names, rows = _sound_rows(path, start)
        if len(rows) < start:
            aside = ""
            if path.is_file():
                shutil.copyfile(path, path.with_name(f"damaged-{path.name}"))
                aside = f"; the file as it was is now damaged-{path.name}"
            print(
                f"warning: {path} has sound rows for {len(rows)} of {start} steps{aside}",
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
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, ["step", *self._names], restval="").writerows(rows)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with replacing(self._path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", *self._names], restval="")
            writer.writeheader()
            writer.writerows(rows)


def _sound_rows(path: Path, start: int) -> tuple[list[str], list[dict[str, str]]]:
    """The metrics of a file, and its sound rows of steps 1 to `start`, one for each step."""
    if not path.is_file():
        return [], []
    rows: dict[int, dict[str, str]] = {}
    # The last line of a killed run may be cut short, even within its step; damage may be anywhere.
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        try:
            reader = csv.DictReader(file)
            names = [name for name in reader.fieldnames or [] if name != "step"]
            if "step" not in (reader.fieldnames or []) or not all(map(_NAME.fullmatch, names)):
                return [], []
            for row in reader:
                if _is_sound(row, names) and 1 <= int(row["step"]) <= start:
                    rows.setdefault(int(row["step"]), row)
        except csv.Error:
            pass  # what came before it is kept
    return names, [rows[step] for step in sorted(rows)]


_NAME = re.compile(r"[A-Za-z0-9_.:/-]+")


def _is_sound(row: dict[Any, Any], names: list[str]) -> bool:
    """Whether a row has a step, a cell for each name, and numbers or nothing in the cells."""
    if None in row or None in row.values() or not str(row["step"]).isdecimal():
        return False
    try:
        return all(not row[name] or math.isfinite(float(row[name])) for name in names)
    except ValueError:
        return False
