"""Commands run by forks of a process that has imported what they import.

A command of jaxgen takes two seconds to import JAX and the rest. The server imports them once,
before any of them starts a device, and each command is a fork of it that goes on as `python -m
jaxgen` does.
"""

import atexit
import functools
import importlib
import json
import math
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgen.__main__ import COMMANDS, module_of
from tests.faults.campaign import Failed
from tests.faults.processes import HANG, MOST_MB, ROOT, Ended, resident_mb

STOPPED = 143
"""Exit code of a command that was stopped, by SIGTERM, before it was done."""


class Server:
    """The process that forks; it ends with the one that made it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Start it with the environment of all its commands."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env),
            cwd=ROOT,
            text=True,
        )
        atexit.register(self.close)

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def run(
        self,
        words: Sequence[str],
        cwd: Path,
        files: Path,
        stop_after: float = HANG,
        kill_after: float = math.inf,
    ) -> Ended:
        """Run `python -m jaxgen WORDS`.

        Args:
            words: of the command line.
            cwd: its folder.
            files: a folder for what it prints.
            stop_after: seconds until it is stopped by SIGTERM.
            kill_after: seconds until it is killed by SIGKILL.

        Returns:
            How it ended; the status is 143 if it was stopped.

        Raises:
            Failed: it hangs, or takes too much memory.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {
            "words": list(words),
            "cwd": str(cwd),
            "output": str(files / "output"),
            "errors": str(files / "errors"),
            "stop_after": stop_after,
            "kill_after": kill_after,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if answer["failure"]:
            raise Failed(answer["failure"])
        output, errors = (
            (files / name).read_bytes().decode(errors="replace") for name in ("output", "errors")
        )
        return Ended(answer["status"], output, errors, answer["seconds"], answer["peak_mb"])


class Servers(threading.local):
    """A server for each thread that asks, since one answers one request at a time."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Takes the environment of all commands."""
        self._env = env

    @functools.cached_property
    def own(self) -> Server:
        """That of the calling thread, started when it is first asked for."""
        return Server(self._env)


def _serve() -> None:
    _import_all()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _become(request)
        print(json.dumps(_waited(child, request["stop_after"], request["kill_after"])), flush=True)


def _import_all() -> None:
    """Import what commands import; nothing of it starts a device."""
    others = (
        f"jaxgen.{name}" for name in ("captioning.config", "gan.config", "training.experiment")
    )
    for name in (*others, *map(module_of, COMMANDS)):
        importlib.import_module(name)


def _become(request: dict[str, Any]) -> None:
    """Be the command, in the child; never returns."""
    os.setsid()
    for stream, name in ((1, "output"), (2, "errors")):
        file = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, stream)
        os.close(file)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.chdir(request["cwd"])
    sys.path[0] = ""
    sys.argv = ["jaxgen", *request["words"]]
    sys.modules.pop("jaxgen.__main__", None)  # or runpy warns that it runs it again
    status: Any = 0
    try:
        runpy.run_module("jaxgen", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    try:
        sys.stdout.flush()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(int(status or 0))


def _waited(child: int, stop_after: float, kill_after: float) -> dict[str, Any]:
    """Wait for the end of a child, and bring it about."""
    began, failure, stopped, pid, status, used = time.monotonic(), "", 0, 0, 0, None
    while not pid:
        time.sleep(0.005)
        seconds = time.monotonic() - began
        # The first ends training after what is under way, the second at once.
        if stopped < 2 and seconds > stop_after + stopped * HANG / 6:
            stopped += 1
            os.kill(child, signal.SIGTERM)
        if seconds > kill_after:
            os.kill(child, signal.SIGKILL)
        if not failure and seconds > stop_after + HANG:
            failure = f"hangs for {seconds:.0f} s"
            os.kill(child, signal.SIGKILL)
        if not failure and (taken := resident_mb(child)) > MOST_MB:
            failure = f"takes {taken:.0f} MB"
            os.kill(child, signal.SIGKILL)
        pid, status, used = os.wait4(child, os.WNOHANG)
    code = os.waitstatus_to_exitcode(status)
    return {
        "failure": failure,
        "status": STOPPED if stopped and code == -signal.SIGTERM else code,
        "seconds": time.monotonic() - began,
        "peak_mb": used.ru_maxrss / 1024 if used else 0.0,
    }


if __name__ == "__main__":
    _serve()
