"""Commands run as a user runs them, and what they may not do whatever happens."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.campaign import Failed

HANG = 60.0
"""Seconds after which a command hangs."""
MOST_MB = 2000
"""Memory of a command, resident at its peak."""
ROOT = Path(__file__).resolve().parents[2]


class Ended(NamedTuple):
    """A command that has ended."""

    status: int
    """Its exit code; minus the signal that killed it."""
    output: str
    """What it printed to standard output."""
    errors: str
    """What it printed to standard error."""
    seconds: float
    peak_mb: float


def environment(cache: Path, **more: str) -> dict[str, str]:
    """The environment of a command that keeps its cache in a folder of the suite."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "PYTEST_ADDOPTS")}
    return {**inherited, "JAXGEN_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT), **more}


def run(
    arguments: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    *,
    kill_after: float | None = None,
    signalled: int = signal.SIGKILL,
    hang: float = HANG,
) -> Ended:
    """Run `python ARGUMENTS` and wait for its end.

    Args:
        arguments: of the interpreter, such as -m jaxgen train ...
        env: its environment.
        cwd: its folder.
        kill_after: seconds until it gets a signal; None for never.
        signalled: which one.
        hang: seconds that it may take, after the signal if one comes.

    Raises:
        Failed: it hangs.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=dict(env),
            cwd=cwd,
        )
        deadline = began + hang + (kill_after or 0)
        pid, status, peak_mb = 0, 0, 0.0
        while not pid:
            now = time.monotonic()
            if kill_after is not None and now - began >= kill_after:
                process.send_signal(signalled)
                kill_after = None
            if now > deadline:
                process.kill()
                os.wait4(process.pid, 0)
                process.returncode = -signal.SIGKILL
                raise Failed(f"hangs for {now - began:.0f} s: {_shown(arguments)}")
            time.sleep(0.005)
            peak_mb = max(peak_mb, _peak_mb(process.pid))
            pid, status, _ = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Ended(process.returncode, *texts, seconds, peak_mb)


def resident_mb(pid: int) -> float:
    """Memory that a process has now; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _peak_mb(pid: int) -> float:
    """Most memory that a process has had; not `ru_maxrss`, which begins with its parent's."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def refused(ended: Ended) -> bool:
    """Whether a command refused with one sentence; False if it did its work.

    Raises:
        Failed: it did neither.
    """
    told = ended.errors.strip()
    if ended.peak_mb > MOST_MB:
        raise Failed(f"takes {ended.peak_mb:.0f} MB")
    if "Traceback" in told:
        raise Failed(f"traceback: {told.splitlines()[-1][:300]}")
    if ended.status == 0:
        return False
    if ended.status != 2:
        raise Failed(f"exit code {ended.status}: {told[-300:]}")
    sentences = [line for line in told.splitlines() if line.startswith("error: ")]
    if len(sentences) != 1 and "Parsing error" not in told and "Unrecognized" not in told:
        raise Failed(f"exit code 2 without one sentence: {told[-300:]}")
    return True


def _shown(arguments: Sequence[str]) -> str:
    return " ".join(map(str, arguments))[:300]
