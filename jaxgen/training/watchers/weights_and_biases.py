"""Weights & Biases, offline unless WANDB_MODE says otherwise: `wandb sync` uploads a run later.

Each session of a run writes a folder of its own into `wandb/` of the run, all under the run's id,
which `wandb sync` puts together in their order. The library works in a process of its own.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.training.watchers.base import RunWatcher, State, WatchedRun
from jaxgen.training.watchers.offline_files import last_step
from jaxgen.training.watchers.packages import imported

_SECONDS_TO_FINISH = 45.0  # online, what is not uploaded then is left to `wandb sync`
_EXIT_CODES: dict[State, int] = {"finished": 0, "interrupted": 130, "diverged": 1, "failed": 1}


class WeightsAndBiases(RunWatcher):
    """A run of Weights & Biases."""

    def __init__(self) -> None:
        """Raises JaxgenError if the package is not there, or WANDB_MODE is no mode of it."""
        self._mode: Any = os.environ.get("WANDB_MODE") or "offline"
        if self._mode == "offline":  # nor are errors of the library reported over the network
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        self._wandb = imported("wandb", lambda wandb: wandb.Settings(mode=self._mode))

    def start(self, run: WatchedRun) -> int | None:
        wandb = self._wandb
        folder, held = os.environ.get("WANDB_DIR") or str(run.folder), None
        if run.is_watched_before and self._mode == "offline":
            # Its process writes late, and not at all once ours is killed.
            held = last_step(Path(folder), run.id)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "jaxgen",
            name=os.environ.get("WANDB_NAME") or run.name,
            dir=folder,
            id=run.id,
            resume=None if self._mode == "offline" else "allow",
            mode=self._mode,
            config=run.config | {"session": run.session},
            reinit="create_new",  # whatever else the process logs there
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                login_timeout=30,
                finish_timeout=_SECONDS_TO_FINISH,
            ),
        )
        self._run.summary["state"] = "running"
        return held

    def scalars(self, step: int, figures: dict[str, float]) -> None:
        self._run.log(figures, step=step, commit=True)

    def picture(self, step: int, picture: np.ndarray, text: str) -> None:
        self._run.log({"samples": self._wandb.Image(picture, caption=text or None)}, step=step)

    def alarm(self, step: int, sentence: str) -> None:
        told = self._run.summary.get(f"alarm at step {step}")
        self._run.summary[f"alarm at step {step}"] = f"{told}; {sentence}" if told else sentence
        self._run.alert(f"step {step} of {self._run.name}", sentence)

    def end(self, step: int, state: State, why: str) -> None:
        self._run.summary.update({"state": state, "steps": step} | ({"why": why} if why else {}))
        self._run.finish(exit_code=_EXIT_CODES[state])
