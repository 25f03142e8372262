"""SIGKILL of one of the two processes of a training, at any moment, until the run is finished."""

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import local_jobs
from jaxgen.commands.job import TRY_AGAIN
from tests.faults import runs
from tests.faults.campaign import Failed
from tests.faults.processes import Ended, environment, run

_KILLS = 2  # of a life; the other process takes half a minute to notice
_AFTER_DEATH = 60.0  # seconds within which the other process has to end


class Jobs:
    """Lives of runs of two processes, each on a device of its own."""

    name = "jobs"
    about = "random SIGKILL of one process of two, both started again until the run is finished"
    trials = 60
    short = 0  # tests/commands/test_job.py has such a life

    def prepare(self, folder: Path) -> None:
        """Train the sound runs that others are compared with, and see how long a life is."""
        self._env = environment(runs.sound(folder) / "cache", JAX_NUM_CPU_DEVICES="1")
        self._folder = folder
        self._seconds = {}
        for kind in runs.KINDS:
            for _ in range(2):  # the second one finds the compiled programs, as lives do
                shutil.rmtree(folder / kind, ignore_errors=True)
                ended = self._job(kind, folder / kind, folder)
                if any(one.status for one in ended):
                    raise Failed(f"the sound run is refused: {ended[0].errors}")
            self._seconds[kind] = ended[0].seconds

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> int:
        """One life; returns how many kills it took."""
        kind = list(runs.KINDS)[number % len(runs.KINDS)]
        workdir, kills, told = folder / kind, 0, list[Ended]()
        for _ in range(_KILLS):
            victim, moment = int(chance.integers(2)), chance.uniform(2, self._seconds[kind])
            ended = self._job(kind, workdir, folder, victim, moment)
            told += ended
            if ended[victim].status != -signal.SIGKILL:
                break  # it was finished before
            kills += 1
            other = ended[1 - victim]
            if other.status not in (0, TRY_AGAIN):
                raise Failed(f"{kind}: the other process ends with {other.status}: {other.errors}")
            if other.seconds > moment + _AFTER_DEATH:
                raise Failed(f"{kind}: the other process lives on for {other.seconds - moment} s")
        last = self._job(kind, workdir, folder)
        if any(one.status for one in last):
            raise Failed(f"{kind}: does not go on: {[one.errors[-300:] for one in last]}")
        runs.compare(kind, self._folder / kind, workdir, told + last)
        return max(kills, 1)

    def _job(
        self, kind: str, workdir: Path, folder: Path, victim: int = -1, moment: float = 0
    ) -> list[Ended]:
        coordinator = local_jobs.free_address()

        def process(number: int) -> Ended:
            return run(
                [*runs.train(kind, workdir), *local_jobs.place_in_job(coordinator, 2, number)],
                self._env,
                folder,
                kill_after=moment if number == victim else None,
                hang=180,
            )

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(process, range(2)))
