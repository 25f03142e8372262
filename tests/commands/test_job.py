"""Commands of several processes: what is refused, how one ends when another does, and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks import local_jobs
from jaxgen.commands import job
from jaxgen.commands.job import TRY_AGAIN, Job
from jaxgen.errors import JaxgenError

pytestmark = [pytest.mark.early, pytest.mark.long, pytest.mark.job]

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


def test_a_sum_that_failed_is_told_from_a_defect():
    gloo = "UNKNOWN: Gloo AllGather failed: [pair.cc:547] Connection closed by peer"
    assert job.is_of_runtime(ValueError(gloo)) and job.is_of_runtime(RuntimeError(gloo))
    assert job.is_of_runtime(ValueError("DEADLINE_EXCEEDED: GetKeyValue() timed out"))
    assert not job.is_of_runtime(ValueError("x must be positive"))
    assert not job.is_of_runtime(TypeError(gloo))


FLAGS = (
    "--steps 40 --batch-size 16 --log-every 2 --sample-every 20 --checkpoint-every 10 "
    "--networks.generator-hidden 16 --networks.discriminator-hidden 16"
).split()
ROOT = Path(__file__).parents[2]


class Command:
    """A command of a job, as a user gives it; what it says goes into a file."""

    def __init__(self, place, workdir, coordinator, process, more=()):
        self._told = place / f"{workdir.name}-{process}-{coordinator}.txt"
        named = local_jobs.place_in_job(coordinator, 2, process)
        with open(self._told, "w") as file:
            self.popen = subprocess.Popen(
                [
                    *(sys.executable, "-m", "experiments.vanilla_gan", *FLAGS, *more, *named),
                    *("--workdir", str(workdir)),
                ],
                env=local_jobs.environment(devices=2),
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def member(self):
        """The process that trains."""
        pid = self.popen.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def last_words_at(self):
        return self._told.stat().st_mtime

    def end(self):
        """Its exit status and what it said."""
        return self.popen.wait(timeout=200), self._told.read_text()


def pair(place, workdir, other=None, more=((), ())):
    """The commands of two processes, the second with another folder if one is given."""
    coordinator = local_jobs.free_address()
    return [
        Command(place, folder, coordinator, process, more[process])
        for process, folder in enumerate((workdir, other or workdir))
    ]


def wait_for_checkpoint(workdir, step):
    until = time.monotonic() + 200
    while not (workdir / "checkpoints" / str(step)).exists():
        assert time.monotonic() < until
        time.sleep(0.05)


class Dying(NamedTuple):
    """Commands that need half a minute to notice that they are left alone."""

    killed: Path
    """A run of which one process was killed."""
    left: Command
    """Of its other process."""
    dead: Command
    """Of the killed process."""
    at: float
    """When it was killed."""
    lonely: list[Command]
    """Process 0 and process 1 of two jobs that nobody else comes to."""


@pytest.fixture(scope="module")
def dying(tmp_path_factory):
    place = tmp_path_factory.mktemp("dying")
    lonely = [
        Command(place, place / "lonely", local_jobs.free_address(), process) for process in range(2)
    ]
    left, dead = pair(place, place / "killed")
    wait_for_checkpoint(place / "killed", 10)
    at = time.time()
    os.kill(dead.member(), signal.SIGKILL)
    return Dying(place / "killed", left, dead, at, lonely)


# Tests that use `dying` for nothing but to begin with it run while its commands wait.


@pytest.fixture(scope="module")
def stopped(dying, tmp_path_factory):
    """A run that one process was asked to stop, how its commands ended, and those that went on."""
    place = tmp_path_factory.mktemp("asked")
    asked = pair(place, place / "stopped")
    wait_for_checkpoint(place / "stopped", 10)
    asked[1].popen.send_signal(signal.SIGTERM)
    ends = [command.end() for command in asked]
    return place / "stopped", ends, [command.end() for command in pair(place, place / "stopped")]


def assert_went_on(ends):
    assert [status for status, _ in ends] == [0, 0], ends
    assert "going on at step" in ends[0][1]
    assert "done: 40 steps" in ends[0][1]
    assert ends[1][1] == ""


def test_a_signal_to_one_process_stops_all_and_the_same_command_goes_on(stopped):
    _, ends, later = stopped
    assert [status for status, _ in ends] == [128 + signal.SIGTERM] * 2
    assert "the same command goes on" in ends[0][1]
    assert ends[1][1] == ""
    assert_went_on(later)


def test_a_sentence_after_the_runtimes_words_is_told(capsys):
    """Another process that was refused, and ended first, makes the runtime speak before."""
    said = "E1126 11:22:01.000000 7 client.cc:1] the job is over\\nerror: they differ\\n"
    code = f"import sys; sys.stderr.write('{said}'); sys.exit(2)"
    member = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    words = job._Words(member)
    assert member.wait() == 2
    words.finish()
    assert capsys.readouterr().err == "error: they differ\n"
    member.stdout.close()
    member.stderr.close()


@pytest.mark.usefixtures("dying")
def test_processes_that_differ_are_refused_everywhere(tmp_path):
    other = ("--optimizer.learning-rate", "0.5")
    for command in pair(tmp_path, tmp_path / "run", more=((), other)):
        status, told = command.end()
        assert status == 2
        assert (
            "error: the processes have not the same configuration: optimizer.learning_rate is "
            "0.001 on process 0 and 0.5 on process 1"
        ) in told
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("dying")
def test_a_folder_that_is_not_shared_is_told(tmp_path):
    for command in pair(tmp_path, tmp_path / "here", tmp_path / "there"):
        status, told = command.end()
        assert status == 2
        assert "error: process 1 on" in told
        assert f"does not see what process 0 on {os.uname().nodename} wrote into" in told


def test_a_death_ends_all_and_the_same_command_goes_on(dying, stopped):
    status, told = dying.left.end()
    assert (status, told.count("error: ")) == (TRY_AGAIN, 1)
    assert "error: process 1 died" in told
    assert "Traceback" not in told and "stack trace" not in told
    assert dying.left.last_words_at() - dying.at < 60
    assert dying.dead.end()[0] == 128 + signal.SIGKILL

    assert_went_on([command.end() for command in pair(dying.killed.parent, dying.killed)])
    one, other = dying.killed, stopped[0]
    marks = [
        json.loads((run / "summary.json").read_text())["parameters_sha256"] for run in (one, other)
    ]
    assert marks[0] == marks[1]
    assert (one / "metrics.csv").read_bytes() == (other / "metrics.csv").read_bytes()


def test_one_that_no_other_comes_to_ends_with_a_sentence(dying):
    for process, command in enumerate(dying.lonely):
        status, told = command.end()
        assert (status, told.count("error: "), "Traceback" in told) == (TRY_AGAIN, 1, False)
        assert ("not all of 2 processes came", "there is no process 0")[process] in told
