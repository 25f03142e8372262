"""A run of hours with ten thousand checkpoints: memory and open files stay as they are."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tests.faults.campaign import Failed
from tests.faults.processes import ROOT, environment, resident_mb

_GROWTH = 1.05
_WARM_UP = 0.2


class Soak:
    """One trial: a vanilla GAN with 10,000 checkpoints, 1,000 pictures and 100 evaluations."""

    name = "soak"
    about = "10,000 checkpoints in one process: memory and open files"
    trials = 1
    short = 0
    steps = 60_000

    def prepare(self, folder: Path) -> None:
        """Nothing is shared."""
        self._folder = folder

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> None:
        """Train, and look at the process every few seconds."""
        period = self.steps // 10_000
        command = (
            f"experiments.vanilla_gan --steps {self.steps} --log-every {period} "
            f"--checkpoint-every {period} --sample-every {10 * period} "
            f"--evaluate-every {100 * period} --evaluate-samples 500"
        )
        rows = []
        with open(self._folder / "soak.csv", "w") as record, open(folder / "told", "w") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", *command.split(), "--workdir", str(folder / "run")],
                env=environment(self._folder / "cache"),
                cwd=ROOT,
                stdout=told,
                stderr=told,
            )
            began = time.monotonic()
            while process.poll() is None:
                try:
                    rows.append(_seen(process.pid))
                except OSError:
                    break
                print(
                    f"{time.monotonic() - began:.0f},{rows[-1][0]:.1f},{rows[-1][1]}", file=record
                )
                record.flush()
                time.sleep(5)
            process.wait()
        if process.returncode:
            raise Failed(f"exit code {process.returncode}: {(folder / 'told').read_text()[-300:]}")
        rows = rows[int(len(rows) * _WARM_UP) :]
        tenth = max(1, len(rows) // 10)
        for column, what in ((0, "MB resident"), (1, "open files")):
            first, last = (
                statistics.median(row[column] for row in part)
                for part in (rows[:tenth], rows[-tenth:])
            )
            print(f"soak: {first:.0f} {what}, at the end {last:.0f}")
            if last > first * _GROWTH:
                raise Failed(f"{what} grow from {first:.0f} to {last:.0f}")


def _seen(pid: int) -> tuple[float, int]:
    """Megabytes resident and open files of a process."""
    return resident_mb(pid), len(os.listdir(f"/proc/{pid}/fd"))
