"""Commands of several processes: what is refused, how one ends when another does, and goes on."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jaxgen.commands import job
from jaxgen.commands.job import TRY_AGAIN, Job
from jaxgen.errors import JaxgenError

# As jaxlib 0.10.2 says it when process 1 of two was killed, when process 0 was, and when process 0
# never came.
KILLED_1 = """F1126 05:55:08.197171   15183 client.h:80] Terminating process because the JAX
distributed service detected fatal errors. absl::Status: UNAVAILABLE: The following tasks are
unhealthy (stopped sending heartbeats):
1
The tasks have crashed. Check the task logs for an earlier error, or scheduler events (e.g.
preemption, eviction) to debug further.
"""
KILLED_0 = """F1126 05:55:16.408757   15461 client.h:80] Terminating process because the JAX
distributed service detected fatal errors. absl::Status: UNAVAILABLE: Failed to send RPC to
coordination service. Either the leader task was preempted/died/restarted unexpectedly or this task
is experiencing network issues.
"""
NEVER_CAME = """F1126 05:55:34.210002   15539 client.h:80] Terminating process because the JAX
distributed service detected fatal errors. absl::Status: DEADLINE_EXCEEDED: Deadline Exceeded

RPC: /xla.coordination.CoordinationService/RegisterTask
"""


def test_flags_that_make_no_job_are_refused():
    whole = {"coordinator": "10.0.0.1:7000", "processes": "2", "process": "1"}
    assert Job.of_flags(whole) == Job("10.0.0.1:7000", 2, 1)
    assert Job.of_flags({}) == Job()
    for changes, words in (
        ({"coordinator": "10.0.0.1"}, "is no HOST:PORT"),
        ({"coordinator": ":70000"}, "is no HOST:PORT"),
        ({"coordinator": "a:70000"}, "is no HOST:PORT"),
        ({"processes": "two"}, "processes two is no number"),
        ({"process": "2"}, "process 2 is none of 2 processes"),
        ({"processes": "0"}, "none of 0 processes"),
    ):
        with pytest.raises(JaxgenError, match=words):
            Job.of_flags(whole | changes)
    with pytest.raises(JaxgenError, match="processes, process must be given with coordinator"):
        Job.of_flags({"coordinator": "10.0.0.1:7000"})


def test_the_end_that_the_runtime_makes_is_told_in_a_sentence():
    joined = Job("10.0.0.1:7000", 2, 0)
    assert job._of_end(KILLED_1.replace("\ndistributed", " distributed"), joined).startswith(
        "process 1 died"
    )
    several = KILLED_1.replace("\n1\n", "\n1, 3\n").replace("tasks are\nun", "tasks are un")
    assert job._of_end(several, joined).startswith("processes 1, 3 died")
    assert job._of_end(KILLED_0.replace("RPC to\n", "RPC to "), joined).startswith("process 0 died")
    assert "not all of 2 processes came to 10.0.0.1:7000" in job._of_end(NEVER_CAME, joined)
    other = Job("10.0.0.1:7000", 2, 1)
    assert "no process 0 at 10.0.0.1:7000" in job._of_end(NEVER_CAME, other)
    assert job._of_end("Aborted", joined) == ""


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


FLAGS = (
    "--steps 40 --batch-size 16 --log-every 2 --sample-every 20 --checkpoint-every 10 "
    "--networks.generator-hidden 16 --networks.discriminator-hidden 16"
).split()


class Command:
    """A command of a job, as a user gives it, with what it says in a file."""

    def __init__(self, place, workdir, port, process, processes=2, more=()):
        self.told = place / f"{workdir.name}-{process}-{port}.txt"
        environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu"}
        named = ["--coordinator", f"127.0.0.1:{port}", "--processes", str(processes)]
        command = [sys.executable, "-m", "experiments.vanilla_gan", *FLAGS, *more, *named]
        with open(self.told, "w") as file:
            self.popen = subprocess.Popen(
                [*command, "--process", str(process), "--workdir", str(workdir)],
                env=environment,
                cwd=Path(__file__).parents[2],
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def member(self):
        """The process that trains."""
        pid = self.popen.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def note_the_end(self):
        """Note when it ends, whatever else is going on."""

        def wait():
            self.popen.wait()
            self._ended = time.monotonic()

        self._waiting = threading.Thread(target=wait)
        self._waiting.start()

    def ended_at(self):
        self._waiting.join(200)
        return self._ended

    def end(self):
        return self.popen.wait(timeout=200), self.told.read_text()


def pair(place, workdir, more=((), ())):
    port = free_port()
    return [Command(place, workdir, port, process, more=more[process]) for process in range(2)]


def wait_for_checkpoint(workdir, step):
    until = time.monotonic() + 200
    while not (workdir / "checkpoints" / str(step)).exists():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_death_ends_all_and_the_same_command_goes_on(tmp_path):
    killed, stopped = tmp_path / "killed", tmp_path / "stopped"
    # These wait for half a minute, beside what follows.
    lonely = [Command(tmp_path, tmp_path / "lonely", free_port(), process) for process in range(2)]
    first, second = pair(tmp_path, killed)
    wait_for_checkpoint(killed, 10)
    began = time.monotonic()
    os.kill(second.member(), signal.SIGKILL)
    first.note_the_end()

    # Meanwhile a run of the same numbers that is asked to stop, on one process only.
    asked = pair(tmp_path, stopped)
    wait_for_checkpoint(stopped, 10)
    asked[1].popen.send_signal(signal.SIGTERM)
    ends = [command.end() for command in asked]
    assert [status for status, _ in ends] == [128 + signal.SIGTERM] * 2
    assert "the same command goes on" in ends[0][1]
    assert ends[1][1] == ""

    assert first.ended_at() - began < 60
    status, told = first.end()
    assert (status, told.count("error: ")) == (TRY_AGAIN, 1)
    assert "error: process 1 died" in told
    assert "Traceback" not in told and "stack trace" not in told
    assert second.end()[0] == 128 + signal.SIGKILL

    for workdir in (stopped, killed):
        ends = [command.end() for command in pair(tmp_path, workdir)]
        assert [status for status, _ in ends] == [0, 0], ends
        assert "going on at step" in ends[0][1]
        assert "done: 40 steps" in ends[0][1]
        assert ends[1][1] == ""
    marks = [
        json.loads((workdir / "summary.json").read_text())["parameters_sha256"]
        for workdir in (killed, stopped)
    ]
    assert marks[0] == marks[1]
    assert (killed / "metrics.csv").read_bytes() == (stopped / "metrics.csv").read_bytes()

    for process, command in enumerate(lonely):
        status, told = command.end()
        assert (status, told.count("error: "), "Traceback" in told) == (TRY_AGAIN, 1, False)
        assert ("not all of 2 processes came", "there is no process 0")[process] in told


def test_processes_that_differ_are_refused_everywhere(tmp_path):
    other = ("--optimizer.learning-rate", "0.5")
    for command in pair(tmp_path, tmp_path / "run", ((), other)):
        status, told = command.end()
        assert status == 2
        assert (
            "error: the processes have not the same configuration: optimizer.learning_rate is "
            "0.001 on process 0 and 0.5 on process 1"
        ) in told
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_shared_is_told(tmp_path):
    port = free_port()
    here, there = (
        Command(tmp_path, tmp_path / name, port, process)
        for process, name in enumerate(("here", "there"))
    )
    for command in (here, there):
        status, told = command.end()
        assert status == 2
        assert "error: process 1 on" in told
        assert f"does not see what process 0 on {os.uname().nodename} wrote into" in told
