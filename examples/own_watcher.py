"""A place of your own to look at while a model trains: lines of JSON, for a dashboard to follow.

jaxgen train dcgan --workdir runs/a --watch own_watcher.py:Lines
tail -f runs/a/lines.jsonl
"""

import json

import numpy as np

from jaxgen.training.watchers.base import RunWatcher, State, WatchedRun


class Lines(RunWatcher):
    """Appends what it is told to `lines.jsonl` of the run's folder."""

    def start(self, run: WatchedRun) -> None:
        self._path = run.folder / "lines.jsonl"
        self._write(run.start, going_on=run.is_watched_before, steps=run.steps)

    def scalars(self, step: int, figures: dict[str, float]) -> None:
        self._write(step, **figures)

    def picture(self, step: int, picture: np.ndarray, text: str) -> None:
        self._write(step, mean_brightness=float(picture.mean()) / 255)

    def alarm(self, step: int, sentence: str) -> None:
        self._write(step, alarm=sentence)

    def end(self, step: int, state: State, why: str) -> None:
        self._write(step, state=state, why=why)

    def _write(self, step: int, **content: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **content}) + "\n")
