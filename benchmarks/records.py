"""Measurements that a JSON file remembers, so that a benchmark of hours can be gone on with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgen.training import configs
from jaxgen.training import run_folder as runs
from jaxgen.training.task import TrainConfig

Row = dict[str, Any]

# Fields of the configuration that change nothing about what is trained.
_INCIDENTAL = ("workdir", "log_every", "keep_checkpoints", "evaluate_samples")


def settings(config: TrainConfig) -> Row:
    """All of a configuration that decides about the trained parameters, as JSON."""
    return {k: value for k, value in configs.to_json(config).items() if k not in _INCIDENTAL}


class Records:
    """The rows of a file, one for each thing that was measured."""

    def __init__(self, path: Path):
        self._path = path
        self._rows: list[Row] = runs.read_json(path) if path.exists() else []

    def row(self, identity: Row, measure: Callable[[], Row]) -> Row:
        """The row with all of `identity`, measured if the file has none, and written at once."""
        found = next((row for row in self._rows if identity.items() <= row.items()), None)
        if found is None:
            found = identity | measure()
            self._rows.append(found)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            runs.write_json(self._path, self._rows)
        return found
