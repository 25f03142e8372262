"""`metrics.csv` of a run: a row a step, a column a metric."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

History = dict[str, tuple[np.ndarray, np.ndarray]]
"""Each metric by name: the steps at which it was taken, int (S,), and its values, float (S,)."""


def read_metrics(path: Path) -> History:
    """`metrics.csv` as name -> (steps, values), rows without a value left out."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in (rows[0] if rows else {}) if name != "step"]
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
        self._path = path
        self._names: list[str] = []
        rows: list[dict[str, str]] = []
        if path.is_file():
            with path.open(newline="") as file:
                reader = csv.DictReader(file)
                # The last line of a killed run may be cut short, even within its step.
                rows = [row for row in reader if None not in row.values()]
                self._names = [name for name in reader.fieldnames or [] if name != "step"]
        self._write([row for row in rows if int(row["step"]) <= start])

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
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", *self._names], restval="")
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(self._path)
