"""Signals at any moment; folders that vanish, are shared or read-only; clocks that are off."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from tests.faults import disks, runs
from tests.faults.campaign import Failed
from tests.faults.processes import Ended, environment, refused, run

_ENDS = {
    signal.SIGINT: (130, -signal.SIGINT, 0),
    signal.SIGTERM: (143, -signal.SIGTERM, 0),
    signal.SIGHUP: (-signal.SIGHUP, 0),
}


class Places:
    """Each trial takes one of the five in turn, signals more often."""

    name = "places"
    about = "signals, folders that vanish, are shared or read-only, clocks that are off"
    trials = 200
    short = 2

    def prepare(self, folder: Path) -> None:
        """Train the sound runs, and see how long one takes."""
        self._folder = runs.sound(folder)
        self._seconds = runs.seconds(folder)

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> None:
        """Do one of them, then let the run end."""
        kind = list(runs.KINDS)[number // 5 % len(runs.KINDS)]
        what = [self._signals, self._vanishing, self._shared, self._read_only, self._clock]
        fault = what[number % 5]
        ended = fault(kind, chance, folder)
        ended += [run(runs.train(kind, folder / kind), self._env(), folder) for _ in range(2)]
        if ended[-1].status or ended[-2].status:
            raise Failed(f"{kind}: does not go on: {ended[-2].errors.strip()[-300:]}")
        stopped = fault == self._signals
        runs.compare(kind, self._folder / kind, folder / kind, ended, stopped=stopped)

    def _env(self) -> dict[str, str]:
        return environment(self._folder / "cache")

    def _signals(self, kind: str, chance: np.random.Generator, folder: Path) -> list[Ended]:
        """One to three signals of a kind, at any moment of a life."""
        number = list(_ENDS)[chance.integers(len(_ENDS))]
        times = int(chance.integers(1, 4))
        pause = float(chance.choice([0.0, 0.05, 0.5]))
        with open(folder / "errors", "w+") as errors:
            process = subprocess.Popen(
                [sys.executable, *runs.train(kind, folder / kind)],
                env=self._env(),
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            # Python's own start, before anything of jaxgen's runs, is left out.
            time.sleep(chance.uniform(0.3, self._seconds[kind]))
            for _ in range(times):
                if process.poll() is None:
                    process.send_signal(number)
                time.sleep(pause)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired as error:
                process.kill()
                process.wait()
                raise Failed(f"hangs after {times} of {signal.strsignal(number)}") from error
            errors.seek(0)
            told = errors.read()
        if process.returncode not in _ENDS[number]:
            name = signal.strsignal(number)
            raise Failed(f"{name}: exit {process.returncode}: {told.strip()[-300:]}")
        return [Ended(process.returncode, "", told, 0, 0)]

    def _vanishing(self, kind: str, chance: np.random.Generator, folder: Path) -> list[Ended]:
        """The run's folder is removed while it trains."""
        workdir = folder / kind

        def remove() -> None:
            time.sleep(chance.uniform(0.5, self._seconds[kind]))
            shutil.rmtree(workdir, ignore_errors=True)

        remover = threading.Thread(target=remove)
        remover.start()
        ended = run(runs.train(kind, workdir), self._env(), folder)
        remover.join()
        refused(ended)
        shutil.rmtree(workdir, ignore_errors=True)
        return []

    def _shared(self, kind: str, chance: np.random.Generator, folder: Path) -> list[Ended]:
        """Two processes begin in one folder at nearly the same time."""
        first: list[Ended] = []
        workdir = folder / kind

        def begin() -> None:
            first.append(run(runs.train(kind, workdir), self._env(), folder))

        other = threading.Thread(target=begin)
        other.start()
        time.sleep(chance.uniform(0, self._seconds[kind]))
        second = run(runs.train(kind, workdir), self._env(), folder)
        other.join()
        both = [*first, second]
        if all(refused(one) for one in both):
            raise Failed("of two processes in one folder none trains")
        return both

    def _read_only(self, kind: str, chance: np.random.Generator, folder: Path) -> list[Ended]:
        """The disk is read-only from the start, or becomes so while the run trains."""
        disk, workdir = folder / "disk", folder / "disk" / kind
        disk.mkdir()
        if not disks.mount(disk, 100_000):
            return []
        try:
            late = bool(chance.integers(2))
            wait = chance.uniform(0.5, self._seconds[kind]) if late else 0
            timer = threading.Timer(wait, disks.remount, [disk, "ro"])
            timer.start()
            if not late:
                timer.join()
            ended = run(runs.train(kind, workdir), self._env(), folder)
            timer.join()
            refused(ended)
            disks.remount(disk, "rw")
            if workdir.exists():
                shutil.copytree(workdir, folder / kind)
        finally:
            disks.unmount(disk)
        return []

    def _clock(self, kind: str, chance: np.random.Generator, folder: Path) -> list[Ended]:
        """The run was begun under a clock that is years ahead, or behind."""
        workdir = folder / kind
        run(
            runs.train(kind, workdir),
            self._env(),
            folder,
            kill_after=chance.uniform(0, self._seconds[kind]),
        )
        when = float(chance.choice([0, 1e9, 4e9]))
        for path in [*workdir.rglob("*"), workdir] if workdir.exists() else []:
            os.utime(path, (when, when))
        return []
