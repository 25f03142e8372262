"""MLflow, in a database in the run's folder, or where MLFLOW_TRACKING_URI says.

A run is found again by its id, a tag, so that it goes on in the same run of MLflow.
"""

import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.display.replacing import replacing
from jaxgen.errors import JaxgenError
from jaxgen.training.watchers.base import RunWatcher, State, WatchedRun
from jaxgen.training.watchers.packages import imported

_ID = "jaxgen.id"
_STATUS: dict[State, str] = {"finished": "FINISHED", "interrupted": "KILLED"}
_MOST_METRICS, _MOST_PARAMS, _MOST_TEXT = 1000, 100, 5000  # of one call, as its servers take them


class MlflowStore(RunWatcher):
    """A run of MLflow."""

    def __init__(self) -> None:
        """Raises JaxgenError if the package is not there."""
        self._uri = os.environ.get("MLFLOW_TRACKING_URI", "")
        if not self._uri:  # what is kept here is nobody's to count, and nothing waits for a network
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        self._mlflow = imported("mlflow", lambda mlflow: mlflow.MlflowClient)
        logging.getLogger("mlflow").setLevel(logging.WARNING)

    def start(self, run: WatchedRun) -> None:
        entities = self._mlflow.entities
        self._metric, self._param = entities.Metric, entities.Param
        place = None
        uri = self._uri
        if not uri:
            folder = run.folder.resolve() / "mlflow"
            folder.mkdir(exist_ok=True)
            self._make(folder / "mlflow.db")
            uri, place = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
        self._client = self._mlflow.MlflowClient(tracking_uri=uri)
        experiment = self._experiment(place)
        found = self._client.search_runs([experiment], f"tags.`{_ID}` = '{run.id}'", max_results=1)
        self._goes_on = bool(found)
        settings = dict(_flat(run.config))
        if found:
            self._id, artifacts = found[0].info.run_id, found[0].info.artifact_uri
            known = found[0].data.params
            for name, value in settings.items():  # parameters are written once
                if known.get(name, value) != value:
                    self._client.set_tag(self._id, f"from step {run.start}: {name}", value)
        else:
            created = self._client.create_run(experiment, run_name=run.name, tags={_ID: run.id})
            self._id, artifacts = created.info.run_id, created.info.artifact_uri
            params = [self._param(name, value) for name, value in settings.items()]
            for first in range(0, len(params), _MOST_PARAMS):
                self._client.log_batch(self._id, params=params[first : first + _MOST_PARAMS])
        for name, value in _flat(run.session):
            self._client.set_tag(self._id, name, value)
        self._client.update_run(self._id, status="RUNNING")
        # A database that was moved still names the folder it came from.
        self._takes_pictures = place is None or artifacts.startswith(place)

    def scalars(self, step: int, figures: dict[str, float]) -> None:
        told = {_name(name): value for name, value in figures.items()}
        if self._goes_on:  # killed after these were written, and before that was noted
            self._goes_on = False
            told = {name: value for name, value in told.items() if not self._has(name, step)}
        now = time.time_ns() // 1_000_000
        metrics = [self._metric(name, value, now, step) for name, value in told.items()]
        for first in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(self._id, metrics=metrics[first : first + _MOST_METRICS])

    def picture(self, step: int, picture: np.ndarray, text: str) -> None:
        if not self._takes_pictures:
            raise JaxgenError("the run was moved, and MLflow's database names its old folder")
        self._client.log_image(self._id, picture, key="samples", step=step)
        if text:
            self._client.log_text(self._id, text, f"samples/step_{step:06d}.txt")

    def alarm(self, step: int, sentence: str) -> None:
        name = f"alarm at step {step}"
        before = self._client.get_run(self._id).data.tags.get(name)
        told = f"{before}; {sentence}" if before else sentence
        self._client.set_tag(self._id, name, told[:_MOST_TEXT])

    def end(self, step: int, state: State, why: str) -> None:
        self._client.set_tag(self._id, "state", state)
        if why:
            self._client.set_tag(self._id, "why", why[:_MOST_TEXT])
        self._client.set_terminated(self._id, _STATUS.get(state, "FAILED"))

    def _make(self, path: Path) -> None:
        """Make a database that is whole or not there: one left half made is of no use for ever."""
        if path.exists():
            return
        # Elsewhere, since what made it keeps it open.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            made = Path(folder) / path.name
            self._mlflow.MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments()
            with replacing(path) as temporary:
                shutil.copyfile(made, temporary)

    def _experiment(self, place: str | None) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "jaxgen"
        found = self._client.get_experiment_by_name(name)
        if found:
            return found.experiment_id
        return self._client.create_experiment(name, artifact_location=place)

    def _has(self, name: str, step: int) -> bool:
        """Whether a metric has a value of that step."""
        return any(m.step == step for m in self._client.get_metric_history(self._id, name))


def _name(name: str) -> str:
    """A metric's name in characters that MLflow takes."""
    return re.sub(r"[^\w./ :-]", "_", name)[:250]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """JSON values as text by dotted names."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{prefix}.{name}" if prefix else name)
    else:
        yield _name(prefix), str(value)[:_MOST_TEXT] or "''"
