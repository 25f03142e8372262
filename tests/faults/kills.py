"""SIGKILL at any moment of a run's life, again and again, until the run is finished."""

import shutil
import signal
from pathlib import Path

import numpy as np

from tests.faults import runs
from tests.faults.campaign import Failed
from tests.faults.forked import Servers
from tests.faults.processes import Ended, environment, run

_KILLS = 6  # of a life, after which it is let go on
_AS_A_USER = 4  # one life in so many is of processes of their own, which import everything anew
_FRESH = 20  # and one in so many begins with an empty cache, which is killed while it is built


class Kills:
    """Lives of runs; each is killed up to six times, nearly five on average."""

    name = "kills"
    about = "random SIGKILL over a run's life, resumed until it is finished"
    trials = 228
    short = 1

    def prepare(self, folder: Path) -> None:
        """Train the sound runs that others are compared with, and see how long a life is."""
        self._folder = runs.sound(folder)
        self._env = environment(self._folder / "cache")
        self._servers = Servers(self._env)
        self._seconds = runs.seconds(folder)
        self._forked_seconds = {}
        for kind in runs.KINDS:
            place = folder / "timed"
            place.mkdir()
            ended = self._servers.own.run(runs.words(kind, place / kind), place, place)
            self._forked_seconds[kind] = ended.seconds
            shutil.rmtree(place)

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> int:
        """One life; returns how many kills it took."""
        kind = list(runs.KINDS)[number % len(runs.KINDS)]
        own = number // 2 % _AS_A_USER == _AS_A_USER - 1
        fresh = number // 2 % (_FRESH // 2) == 7
        workdir, ended = folder / kind, list[Ended]()
        life = self._seconds[kind] * (2 if fresh else 1) if own else self._forked_seconds[kind]

        def go(kill_after: float | None = None) -> Ended:
            if not own:
                wait = float("inf") if kill_after is None else kill_after
                words = runs.words(kind, workdir)
                return self._servers.own.run(words, folder, folder, kill_after=wait)
            env = environment(folder / "cache") if fresh else self._env
            return run(runs.train(kind, workdir), env, folder, kill_after=kill_after)

        while len(ended) < _KILLS and (not ended or ended[-1].status):
            ended.append(go(chance.uniform(0, life)))
        ended.append(go())
        if ended[-1].status:
            told = ended[-1].errors.strip()[-300:]
            raise Failed(f"{kind}: does not go on (exit {ended[-1].status}): {told}")
        # Once more: a run that was killed at its very end, or not at all, is whole or made whole.
        ended.append(go())
        runs.compare(kind, self._folder / kind, workdir, ended)
        return sum(one.status == -signal.SIGKILL for one in ended)
