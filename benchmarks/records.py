"""Measurements that a JSON file remembers, so that a benchmark of hours can be gone on with."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from jaxgen.errors import JaxgenError
from jaxgen.training import configs
from jaxgen.training import run_folder as runs
from jaxgen.training.task import TrainConfig

Row = dict[str, Any]


class Records:
    """The rows of a file, one for each thing that was measured."""

    def __init__(self, path: Path, decisive: Collection[str] = ()) -> None:
        """Opens the file, if there is one.

        Args:
            path: of the file.
            decisive: names of settings that do not change what is trained but do change the
                figures measured.
        """
        self._path, self._decisive = path, decisive
        self._rows: list[Row] = runs.read_json(path) if path.exists() else []

    def row(self, identity: Row, config: TrainConfig, measure: Callable[[], Row]) -> Row:
        """The row of an identity and a configuration, measured if the file has none.

        Args:
            identity: what tells rows of the same configuration from one another.
            config: what is trained. Settings of a row that change neither that nor the figures may
                differ from it.
            measure: gives all else of a row, which is then written at once.
        """
        found = next((row for row in self._rows if self._is_of(row, identity, config)), None)
        if found is None:
            found = identity | {"settings": settings(config)} | measure()
            self._rows.append(found)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            runs.write_json(self._path, self._rows)
        return found

    def _is_of(self, row: Row, identity: Row, config: TrainConfig) -> bool:
        if not identity.items() <= row.items():
            return False
        incidental = {"workdir", *configs.may_change(config)} - set(self._decisive)
        own = configs.to_json(config)
        written = {name: own[name] for name in own if name in incidental} | row["settings"]
        if "sample_statistics" in written:  # as jaxgen 0.1.0 called them
            written["sampling_statistics"] = written["sample_statistics"]
        try:  # whichever version wrote it, and whatever classes were called then
            read = configs.to_json(configs.from_json(written, TrainConfig))
        except JaxgenError:  # of a class or a choice that is not there any more
            return False
        return all(each.name in incidental for each in configs.differences(read, own))


def settings(config: TrainConfig) -> Row:
    """A configuration as JSON, without the place of its run."""
    return {name: value for name, value in configs.to_json(config).items() if name != "workdir"}
