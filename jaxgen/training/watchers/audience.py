"""The watchers of a run, each told by a thread of its own, so that training waits for none.

What a watcher was told is noted in `watch/` of the run's folder, and not told again when the run
goes on from an earlier checkpoint.
"""

import hashlib
import json
import queue
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data import ordinary_files
from jaxgen.data.sealing import is_broken, sealed
from jaxgen.errors import JaxgenError
from jaxgen.training.watchers.base import RunWatcher, State, WatchedRun

Lines = list[tuple[int, dict[str, float]]]
"""Steps, and scalars after them by name."""
FOLDER = "watch"
_MOST_WAITING = 200
_SECONDS_TO_START, _SECONDS_TO_END = 30.0, 60.0
_MOST_BYTES = 2**16
_ID = re.compile(r"[0-9a-f]{16}")


class Audience:
    """All that is told to watchers; without any it does nothing."""

    def __init__(self, watchers: Mapping[str, RunWatcher]) -> None:
        """Takes the watchers by name."""
        self._watchers, self._tellers = watchers, list[Teller]()

    def start(
        self,
        folder: Path,
        start: int,
        steps: int,
        config: dict[str, Any],
        session: dict[str, Any],
        say: Callable[[str], None],
        past: Callable[[], Lines] = list,
    ) -> None:
        """Training begins in a run's folder, or goes on.

        Waits half a minute at most until watchers have started.

        Args:
            folder: the run's.
            start: steps that were done before.
            steps: in all.
            config: see `WatchedRun`, and so is `session`.
            session: what takes up training.
            say: prints what goes wrong.
            past: gives scalars up to `start`, for watchers that were not told all of them.
        """
        for name, watcher in self._watchers.items():
            note = _Note(folder / FOLDER, name)
            run = WatchedRun(folder, note.id, start, steps, config, session, bool(note.before))
            self._tellers.append(Teller(name, watcher, run, note, say, past))
        until = time.monotonic() + _SECONDS_TO_START
        for teller in self._tellers:
            teller.started.wait(max(0.0, until - time.monotonic()))

    def scalars(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures after `step` steps."""
        for teller in self._tellers:
            teller.tell("scalars", step, dict(figures))

    def picture(self, step: int, picture: np.ndarray, text: str) -> None:
        """A picture after `step` steps."""
        shown = picture.view()
        shown.flags.writeable = False
        for teller in self._tellers:
            teller.tell("picture", step, shown, text)

    def alarm(self, step: int, sentence: str) -> None:
        """Something looks wrong."""
        for teller in self._tellers:
            teller.tell("alarm", step, sentence)

    def end(self, step: int, state: State, why: str = "") -> None:
        """Training ended; waits until each watcher has taken it, for a minute at most."""
        tellers, self._tellers = self._tellers, []
        for teller in tellers:
            teller.tell("end", step, state, why)
        for teller in tellers:
            teller.wait()


class _Note:
    """What one watcher was told, in a file of the run's folder."""

    def __init__(self, folder: Path, name: str) -> None:
        """Reads the file; one that is damaged begins anew, with a warning."""
        plain = re.sub(r"[^\w.-]+", "-", name)
        mark = "" if plain == name else f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        self._path, self._name = folder / f"{plain[:80]}{mark}.json", name
        self.before: dict[str, int] = {}
        """The last step that it was told of, by kinds, when this session began."""
        self.id = secrets.token_hex(8)
        if self._path.exists():
            try:
                self.id, self.before = self._read()
            except (JaxgenError, ValueError, RecursionError) as error:
                print(
                    f"warning: {self._path} is damaged ({error}); {name} is told of a new run",
                    file=sys.stderr,
                )
        self._told = dict(self.before)

    def _read(self) -> tuple[str, dict[str, int]]:
        content = ordinary_files.contents(self._path, "remove it", _MOST_BYTES)
        value = json.loads(content.decode())
        if not isinstance(value, dict) or "sha256" not in value or is_broken(value):
            raise ValueError("its checksum does not match")
        run_id, told = value.get("id"), value.get("told")
        if not (isinstance(run_id, str) and _ID.fullmatch(run_id) and isinstance(told, dict)):
            raise ValueError("it is no note of what was told")
        if not all(isinstance(step, int) for step in told.values()):
            raise ValueError("it is no note of what was told")
        return run_id, told

    def write(self, kind: str, step: int) -> None:
        """It was told of `step`.

        Raises:
            OSError: the disk refuses.
        """
        self._told[kind] = step
        content = sealed({"name": self._name, "id": self.id, "told": self._told})
        self._path.parent.mkdir(exist_ok=True)
        # Not brought to the disk each time: a loss of power costs a step that is told twice.
        temporary = self._path.with_name(f".partial-{self._path.name}")
        temporary.write_text(json.dumps(content) + "\n")
        temporary.replace(self._path)


class Teller:
    """Tells one watcher, from a thread."""

    def __init__(
        self,
        name: str,
        watcher: RunWatcher,
        run: WatchedRun,
        note: _Note,
        say: Callable[[str], None],
        past: Callable[[], Lines],
    ) -> None:
        """Takes the watcher, and begins with its `start` and what it lacks of the past."""
        self._name, self._watcher, self._run, self._past = name, watcher, run, past
        self._note, self._say = note, say
        self._waiting: queue.Queue[tuple[str, int, tuple[Any, ...]]] = queue.Queue(_MOST_WAITING)
        self._is_over = False
        self.started = threading.Event()
        """Set once its `start` has returned, or failed."""
        self._thread = threading.Thread(target=self._work, name=f"watch-{name}", daemon=True)
        self._thread.start()

    def tell(self, kind: str, step: int, *content: Any) -> None:
        """Call a method of the watcher, soon; nothing if it is known from before."""
        if self._is_over or (kind != "end" and step <= self._note.before.get(kind, -1)):
            return
        try:
            self._waiting.put_nowait((kind, step, content))
        except queue.Full:
            self._drop(step, f"is {_MOST_WAITING} messages behind")

    def wait(self) -> None:
        """Until all is told, or a minute has passed."""
        self._thread.join(_SECONDS_TO_END)
        if self._thread.is_alive() and not self._is_over:
            self._drop(None, f"has not ended within {_SECONDS_TO_END:.0f} s")

    def _work(self) -> None:
        kind, step = "start", self._run.start
        try:
            self._note.write(kind, step)  # first: a run that is killed in between has its id
            held, known = self._watcher.start(self._run), self._note.before.get("scalars", 0)
            if isinstance(held, int) and held < known:
                self._note.before["scalars"] = known = held
            past = self._past() if known < self._run.start else []
            self.started.set()
            kind = "scalars"
            for step, figures in past:
                if step > known:
                    self._watcher.scalars(step, dict(figures))
                    self._note.write(kind, step)
            while not self._is_over:
                kind, step, content = self._waiting.get()
                getattr(self._watcher, kind)(step, *content)
                self._note.write(kind, step)
                if kind == "end":
                    return
        except (Exception, SystemExit) as error:  # a watcher raises anything, and loses no training
            told = " ".join(f"{type(error).__name__}: {error}".split())
            self._drop(step, f"failed in {kind} ({told[:500]})")
        finally:
            self.started.set()

    def _drop(self, step: int | None, problem: str) -> None:
        if not self._is_over:
            self._is_over = True
            where = "" if step is None else f"step {step}: "
            self._say(f"warning: {where}the watcher {self._name} {problem}; it is left out")
