"""A training of several processes: each command starts its own, and says how that one ended.

`--distributed` finds the others on a TPU pod or under SLURM; `--coordinator HOST:PORT --processes N
--process I` names them. JAX's runtime joins the processes, and ends all of them when one dies: by
an abort with a stack trace, within a process that nothing can catch. So the command that a user
gives is a small parent, which starts itself again as a member of the job, passes on signals and
words, and turns such an end into one sentence.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag

WAIT = 22
"""Seconds that JAX waits for the others at the start; until it gives up 30 have passed."""
SILENCE = 25
"""Seconds without a sign of life after which a process counts as dead."""
TRY_AGAIN = 75
"""Exit status (EX_TEMPFAIL) when the same command, given to all again, goes on."""
_MEMBER = "JAXGEN_JOB_MEMBER"
_PLACE = "jaxgen-job-process "
# Of the runtime's C++ libraries; what they say that matters is said by the parent.
_CHATTER = re.compile(r"\[Gloo\] |Expected number of connected peer|[IW]\d{4} \d\d:\d\d:\d\d")
_LAST_WORDS = re.compile(r"[EF]\d{4} \d\d:\d\d:\d\d")
_MOST_HELD = 200  # lines


class LostProcess(JaxgenError):
    """Another process of the job has ended, or never came."""

    exit_code = TRY_AGAIN


@dataclass(frozen=True)
class Job:
    """Which processes train together; found by JAX where nothing is given."""

    coordinator: str = ""
    """HOST:PORT of process 0."""
    processes: int | None = None
    """How many there are."""
    process: int | None = None
    """Which one this is, from 0."""

    @classmethod
    def of_flags(cls, given: dict[str, str]) -> "Job":
        """The job that flags ask for.

        Args:
            given: values of `coordinator`, `processes` and `process`, of those that are given.

        Raises:
            JaxgenError: some are given without the others, or make no sense.
        """
        if not given:
            return cls()
        names = ("coordinator", "processes", "process")
        if missing := [flag(name) for name in names if name not in given]:
            raise JaxgenError(
                f"{', '.join(missing)} must be given with {', '.join(map(flag, given))}"
            )
        host, _, port = given["coordinator"].rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise JaxgenError(
                f"{flag('coordinator')} {given['coordinator']} is no HOST:PORT; give those of "
                "process 0, 10.0.0.1:7000 for one"
            )
        numbers = {name: given[name] for name in names[1:]}
        for name, text in numbers.items():
            if not text.isdecimal() or int(text) >= 2**16:
                raise JaxgenError(f"{flag(name)} {text} is no number of processes")
        processes, process = map(int, numbers.values())
        if process >= processes:
            raise JaxgenError(
                f"{flag('process')} {process} is none of {processes} processes, which are counted "
                "from 0"
            )
        return cls(given["coordinator"], processes, process)


def is_member() -> bool:
    """Whether this process was started by the parent."""
    return _MEMBER in os.environ


def join(job: Job) -> None:
    """Make this process, and JAX in it, a member of the job.

    Raises:
        JaxgenError: nothing tells which processes there are.
    """
    _die_with_parent()
    import jax

    # It would take SIGTERM for itself; the loop agrees on the step at which all stop.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            job.coordinator or None,
            job.processes,
            job.process,
            initialization_timeout=WAIT,
            heartbeat_timeout_seconds=SILENCE,
            shutdown_timeout_seconds=WAIT,
        )
    except ValueError as error:
        raise JaxgenError(
            f"{flag('distributed')}: nothing here tells which processes there are ({error}); give "
            f"{flag('coordinator')}, {flag('processes')} and {flag('process')}"
        ) from error
    print(_PLACE + str(jax.process_index()), file=sys.stderr, flush=True)


def is_of_runtime(error: Exception) -> bool:
    """Whether a sum over the processes may have failed, since another one is gone.

    Mostly it is a `RuntimeError`. A program that is called at once, as on a single CPU device, ends
    with a `ValueError` that begins with the runtime's name of the failure.
    """
    named = isinstance(error, ValueError) and re.match(r"[A-Z]+(_[A-Z]+)*: ", str(error))
    return isinstance(error, RuntimeError) or bool(named)


def wait_for_the_end() -> None:
    """A sum over the processes failed: soon JAX ends this one and tells whose death it was.

    It returns if nothing came of that, so that the failure had another reason.
    """
    time.sleep(SILENCE + 15)


def leave(status: int) -> None:
    """End a member that has failed at once; to leave in order it would wait for the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def start(job: Job) -> int:
    """Run this command again as a member of the job, and wait for it.

    Returns:
        Its exit status.

    Raises:
        LostProcess: it ended because another process did, or did not come.
    """
    member = subprocess.Popen(
        [sys.executable, *sys.orig_argv[1:]],
        env=os.environ | {_MEMBER: "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # Ctrl-C in a terminal goes to a whole group: the member gets it from the parent alone.
        start_new_session=True,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: member.send_signal(number))
    words = _Words(member)
    status = member.wait()
    words.finish()
    if status == -signal.SIGABRT and (sentence := _of_end("".join(words.held), job)):
        raise LostProcess(sentence)
    if status < 0:
        print(f"error: the training was ended by signal {-status}", file=sys.stderr)
    if status in (1, -signal.SIGABRT) and not words.told_error:
        sys.stderr.writelines(words.held)
    return 128 - status if status < 0 else status


class _Words:
    """What a member says, passed on as it comes: all of the first one, errors of any other."""

    def __init__(self, member: subprocess.Popen) -> None:
        self.held: list[str] = []
        self.told_error = False
        self._process = 0
        self._threads = [
            threading.Thread(target=self._pass_on, args=pipes, daemon=True)
            for pipes in ((member.stdout, sys.stdout), (member.stderr, sys.stderr))
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait for the last words."""
        for thread in self._threads:
            thread.join(timeout=5)

    def _pass_on(self, source: IO[str], target: IO[str]) -> None:
        in_last_words = False
        for line in source:
            if line.startswith(_PLACE):
                self._process = int(line.removeprefix(_PLACE))
                continue
            # What the runtime says of an error has several lines. Only a sentence of ours may come
            # after it: where another process ended a moment before, for one.
            in_last_words |= bool(_LAST_WORDS.match(line))
            is_error = line.startswith("error: ")
            self.told_error |= is_error
            if _CHATTER.search(line):
                continue
            if not is_error and (in_last_words or self._process):
                self.held = [*self.held[1 - _MOST_HELD :], line]
            else:
                target.write(line)
                target.flush()


def _of_end(told: str, job: Job) -> str:
    """Why JAX's runtime has ended a process, in a sentence; "" if it does not say."""
    again = "repeat the command on all hosts to go on from the last checkpoint"
    if "RegisterTask" in told:
        if job.process == 0:
            return (
                f"not all of {job.processes} processes came to {job.coordinator} within 30 s; "
                "start the same command on every host"
            )
        where = f"at {job.coordinator} " if job.coordinator else ""
        return (
            f"there is no process 0 {where}that could be reached within 30 s; start the same "
            "command on every host, and see that they reach that port"
        )
    if found := re.search(r"unhealthy[^:]*:\s*((?:\d+[\s,]*)+)", told):
        numbers = re.findall(r"\d+", found[1])
        who = f"process {numbers[0]}" if len(numbers) == 1 else f"processes {', '.join(numbers)}"
        return f"{who} died, or is not reached any more; {again}"
    if "Failed to send RPC to coordination service" in told or "Socket closed" in told:
        return f"process 0 died, or is not reached any more; {again}"
    if "distributed service detected fatal errors" in told:
        return f"another process ended; {again}"
    return ""


def _die_with_parent() -> None:
    """Have the system end this process when the parent is gone, however it went."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
