"""Whole commands as processes of their own: time to the first step, steps per second, memory.

A command tells its progress in lines that begin "step N/", as the experiments do on standard error
and `benchmarks.torch_training` on its output.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.gan_steps import EXPERIMENTS
from benchmarks.measuring import Row, Settings, summary
from jaxgen.errors import JaxgenError

STEPS = dict.fromkeys(EXPERIMENTS, 1000) | {"dcgan": 400, "conditional_dcgan": 400}
FROM_STEP = 200
MOST_ROUNDS = 3  # they take minutes
_LOG_EVERY = 50
_STEP_LINE = re.compile(r"step (\d+)/")
_PEAK_LINE = re.compile(r"peak memory (\d+)$")
_MAXRSS_UNITS_IN_MIB = 2**20 if sys.platform == "darwin" else 2**10

# Linux counts what a process held before `exec`, which is its parent's memory, as its peak. So the
# command is started by a small process rather than by this one, which may hold gigabytes.
_LAUNCHER = """
import resource, subprocess, sys
status = subprocess.call([sys.executable, "-m", *sys.argv[1:]])
print("peak memory", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, flush=True)
sys.exit(status if status >= 0 else 128 - status)
"""


class Watched(NamedTuple):
    """How a command went, in seconds since it was started."""

    step_seconds: dict[int, float]
    """When it had told of each step."""
    exit_seconds: float
    peak_mib: float
    """Most memory it held."""


def watch(command: Sequence[str], environment: Mapping[str, str]) -> Watched:
    """Runs `python -m COMMAND` and notes when it tells of its steps.

    Args:
        command: module and flags.
        environment: variables beside those of this process.

    Raises:
        JaxgenError: it fails, or tells of no step.
    """
    step_seconds, peak_mib, last_lines = {}, 0.0, deque(maxlen=5)
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    with process, process.stdout as lines:
        for line in lines:
            if found := _PEAK_LINE.match(line):
                peak_mib = int(found[1]) / _MAXRSS_UNITS_IN_MIB
                continue
            last_lines.append(line.rstrip())
            if found := _STEP_LINE.match(line):
                step_seconds[int(found[1])] = time.perf_counter() - start
    exit_seconds = time.perf_counter() - start
    if process.returncode or not step_seconds:
        said = " / ".join(last_lines)
        raise JaxgenError(f"python -m {' '.join(command)} ended with {process.returncode}: {said}")
    return Watched(step_seconds, exit_seconds, peak_mib)


@dataclass(frozen=True)
class CommandComparison:
    """Rows about one experiment's command."""

    title: str
    measure: Callable[[Settings, Path], list[Row]]

    def rows(self, settings: Settings) -> list[Row]:
        """Measures, in a temporary folder for runs and caches."""
        with tempfile.TemporaryDirectory(prefix="jaxgen-benchmarks-") as folder:
            return self.measure(settings, Path(folder))


def comparisons() -> list[CommandComparison]:
    """The start of the DCGAN, and each GAN's training beside the same in PyTorch."""
    return [
        CommandComparison("DCGAN command, start", partial(_start, "dcgan")),
        *(
            CommandComparison(f"{title} command, training", partial(_training, name))
            for name, title in EXPERIMENTS.items()
        ),
    ]


def _start(name: str, settings: Settings, folder: Path) -> list[Row]:
    """Two steps with an empty cache, and again with the cache that they filled.

    Two, because a picture is made after the last one.
    """
    seconds: dict[str, list[float]] = {}
    for turn in range(min(settings.repeats, MOST_ROUNDS)):
        cache = {"JAXGEN_CACHE_DIR": str(folder / f"cache{turn}")}
        for kind in ("an empty cache", "a warm cache"):
            workdir = folder / f"{kind} {turn}"
            flags = ["--steps", "2", "--log-every", "1", "--workdir", str(workdir)]
            seen = watch([f"experiments.{name}", *flags], cache)
            seconds.setdefault(f"first step with {kind}", []).append(seen.step_seconds[1])
            seconds.setdefault(f"two steps and exit with {kind}", []).append(seen.exit_seconds)
    title = EXPERIMENTS[name]
    return [
        row
        for what, column in seconds.items()
        for row in summary(f"{title} command, start: {what}", "s", {"jaxgen": column})
    ]


def _training(name: str, settings: Settings, folder: Path) -> list[Row]:
    """Both commands in turns: milliseconds a step once both are under way, and peak memory."""
    steps, log_every, begin = STEPS[name], _LOG_EVERY, FROM_STEP
    if settings.quick:
        steps, log_every, begin = 20, 5, 10
    flags = ["--steps", str(steps), "--log-every", str(log_every)]
    environment = {"JAXGEN_CACHE_DIR": str(folder / "cache")}
    seen: dict[str, list[Watched]] = {"jaxgen": [], "PyTorch": []}
    for turn in range(min(settings.repeats, MOST_ROUNDS)):
        workdir = ["--workdir", str(folder / f"run{turn}")]
        seen["jaxgen"].append(watch([f"experiments.{name}", *flags, *workdir], environment))
        peer = ["benchmarks.torch_training", name, *flags]
        seen["PyTorch"].append(watch(peer, environment))
    milliseconds = {
        who: [1e3 * (w.step_seconds[steps] - w.step_seconds[begin]) / (steps - begin) for w in runs]
        for who, runs in seen.items()
    }
    memory = {"jaxgen": [w.peak_mib for w in seen["jaxgen"]]}
    title = f"{EXPERIMENTS[name]} command, training"
    return [
        *summary(f"{title}: a step, from step {begin} on", "ms", milliseconds),
        *summary(f"{title}: peak memory", "MiB", memory),
    ]
