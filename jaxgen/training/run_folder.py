"""A run's folder: what is where, and its JSON files.

config.json  metrics.csv  events.jsonl  curves.png  samples/step_000500.png (and .json)  samples.gif
checkpoints/  tensorboard/  report.html  summary.json
watch/ (what watchers were told)  wandb/  mlflow/
"""

import json
import re
from pathlib import Path
from typing import Any

from jaxgen.data import ordinary_files
from jaxgen.display.replacing import PARTIAL, replacing
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training import events, run_lock
from jaxgen.training.checkpoints import Checkpoints
from jaxgen.training.configs import Record

_SHOWN = re.compile(r"step_(\d{1,18})\.(?:png|json)")
_MOST_BYTES = 64 * 2**20  # of a JSON file; the largest vocabularies take a hundredth of it


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of one."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a run's JSON file; JaxgenError when it is not there or not JSON."""
    content = ordinary_files.contents(path, "restore it from a copy", _MOST_BYTES)
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise JaxgenError(f"{path} is not JSON: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _is_leftover(path: Path) -> bool:
    """Whether a process that died before `config.json` was written has left this."""
    return path.name == run_lock.NAME or path.name.startswith(PARTIAL)


class Run:
    """The folder of one run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_path = self.path / "config.json"
        self.metrics_path = self.path / "metrics.csv"
        self.events_path = self.path / events.NAME
        self.samples_path = self.path / "samples"
        self.report_path = self.path / "report.html"
        self.summary_path = self.path / "summary.json"

    def exists(self) -> bool:
        """Whether a run was started here.

        Raises:
            JaxgenError: the path is a file, or a folder of something else.
        """
        if self.config_path.is_file():
            return True
        if self.path.exists() and not self.path.is_dir():
            raise JaxgenError(f"{self.path} is not a folder; choose another {flag('workdir')}")
        try:
            foreign = self.path.is_dir() and not all(map(_is_leftover, self.path.iterdir()))
        except OSError as error:
            raise JaxgenError(f"cannot read {self.path}: {error.strerror}") from error
        if foreign:
            raise JaxgenError(
                f"{self.path} holds files but no config.json, so it is not a run; "
                f"choose another {flag('workdir')}"
            )
        return False

    def refuse_none(self) -> None:
        """Refuse a folder that is not a run; one of those that it holds is named.

        Raises:
            JaxgenError: there is no `config.json`.
        """
        if self.config_path.is_file():
            return
        kind = "there is no such folder"
        if self.path.is_dir():
            kind = "it holds no config.json"
            if within := sorted(self.path.glob("*/config.json")):
                kind += f"; name a run in it, such as {within[0].parent}"
        elif self.path.exists():
            kind = "it is not a folder"
        raise JaxgenError(f"{self.path} is not a run: {kind}")

    def sample_files(self, suffix: str = "") -> list[tuple[int, Path]]:
        """What was shown: files of pictures and captions with their steps, in their order."""
        found = (
            (int(match[1]), path)
            for path in self.samples_path.glob(f"step_*{suffix}")
            if (match := _SHOWN.fullmatch(path.name)) and path.is_file()
        )
        return sorted(found)

    def make(self) -> None:
        """Make the folder if it is not there, and remove what a killed process left half-written.

        Raises:
            JaxgenError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for folder in (self.path, self.samples_path):
                for path in folder.glob(f"{PARTIAL}*"):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise JaxgenError(f"cannot write to {self.path}: {error.strerror}") from error

    def write_record(self, record: Record) -> None:
        """Write `config.json`, which makes the folder a run, before anything else is in it.

        Raises:
            JaxgenError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self.config_path, record.as_json())
            self.samples_path.mkdir(exist_ok=True)
        except OSError as error:
            raise JaxgenError(f"cannot write to {self.path}: {error.strerror}") from error

    def record(self) -> Record:
        """What `config.json` holds.

        Raises:
            JaxgenError: it cannot be read, or is not as it was written.
        """
        return Record.of_json(read_json(self.config_path), str(self.config_path))

    def checkpoints(self, keep: int = 3) -> Checkpoints:
        """The run's checkpoints."""
        return Checkpoints(self.path / "checkpoints", keep)
