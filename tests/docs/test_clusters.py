"""The files in `docs/clusters/`: which ends of a command are repeated; with local processes."""

import configparser
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "docs" / "clusters"
QUICK = {"REPEAT_SOON": "0", "REPEAT_LATE": "0"}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell's scripts")

# Ends each time with the next of the statuses that it is given; minus a signal ends it by that.
STUB = """
import os, sys
from pathlib import Path
count = Path(sys.argv[1])
with count.open("a") as file:
    file.write("x")
status = [int(word) for word in sys.argv[2:]][len(count.read_text()) - 1]
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""
# Saves and ends when it is asked to, as training does.
PATIENT = """
import signal, sys, time
from pathlib import Path
def end(number, frame):
    Path(sys.argv[1]).write_text("saved")
    sys.exit(int(sys.argv[2]))
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def repeated(tmp_path):
    """Runs the stub under repeat.sh; returns the status, the number of calls, and the words."""

    def run(*statuses, **environment):
        count = tmp_path / "count"
        count.unlink(missing_ok=True)
        done = subprocess.run(
            [FOLDER / "repeat.sh", sys.executable, "-c", STUB, count, *map(str, statuses)],
            env=os.environ | QUICK | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        # Some shells say more, of the signal that ended a command.
        told = [line for line in done.stderr.splitlines() if line.startswith("repeat.sh")]
        return done.returncode, len(count.read_text()), told

    return run


@pytest.mark.parametrize("final", [0, 1, 2, 130, 143, -signal.SIGTERM])
def test_what_is_final_is_not_repeated(repeated, final):
    status, calls, told = repeated(final, 0)
    assert (status, calls, told) == (final if final >= 0 else 128 - final, 1, [])


def test_deaths_are_repeated_until_the_run_is_trained(repeated):
    status, calls, told = repeated(75, -signal.SIGKILL, 75, 0)
    assert (status, calls) == (0, 4)
    assert told == [f"repeat.sh: status {death}, the same again in 0 s" for death in (75, 137, 75)]


def test_it_gives_up_after_too_many_quick_deaths(repeated):
    status, calls, told = repeated(*[75] * 9, REPEAT_MOST="3")
    assert (status, calls) == (75, 3)
    assert told[-1] == "repeat.sh: status 75, the last of 3 in a row: giving up"


def test_deaths_after_long_training_are_not_counted_together(repeated):
    assert repeated(75, 75, 75, 75, 2, REPEAT_MOST="2", REPEAT_QUICK="0")[:2] == (2, 5)


@pytest.mark.parametrize("status", [143, 75])
def test_sigterm_is_passed_on_and_ends_the_loop(tmp_path, status):
    """Also where the process notices the death of another one first."""
    saved = tmp_path / "saved"
    process = subprocess.Popen(
        [FOLDER / "repeat.sh", sys.executable, "-c", PATIENT, saved, str(status)],
        stdout=subprocess.PIPE,
        env=os.environ | QUICK,
    )
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == status
    assert saved.read_text() == "saved"


def test_sigterm_between_two_repetitions_ends_the_loop(tmp_path):
    count = tmp_path / "count"
    process = subprocess.Popen(
        [FOLDER / "repeat.sh", sys.executable, "-c", STUB, count, "75", "0"],
        env=os.environ | {"REPEAT_SOON": "30"},
        stderr=subprocess.PIPE,
    )
    assert b"the same again in 30 s" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert (process.returncode, count.read_text()) == (75, "x")


@pytest.mark.parametrize(
    ("statuses", "calls", "queued"),
    [([0], 1, False), ([2], 1, False), ([130], 1, False), ([143], 1, True), ([75, 0], 2, False),
     ([75] * 5, 5, True)],
)  # fmt: skip
def test_slurm_queues_again_what_can_go_on(tmp_path, statuses, calls, queued):
    """`srun` and `scontrol` are replaced; what sbatch and they do is SLURM's."""
    (tmp_path / "stub.py").write_text(STUB)
    words = " ".join(map(str, statuses))
    for name, line in {
        "srun": f'exec {sys.executable} "{tmp_path}/stub.py" "{tmp_path}/count" {words}',
        "scontrol": f'echo "$@" > "{tmp_path}/queued"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    places = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", FOLDER / "slurm.sh"],
        env=os.environ | QUICK | {"PATH": places, "SLURM_JOB_ID": "17"},
        cwd=FOLDER.parents[1],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == statuses[-1]
    assert len((tmp_path / "count").read_text()) == calls
    assert (tmp_path / "queued").exists() == queued
    if queued:
        assert (tmp_path / "queued").read_text() == "requeue 17\n"


def test_the_other_schedulers_repeat_neither_bad_input_nor_divergence():
    jobset = yaml.safe_load((FOLDER / "jobset.yaml").read_text())["spec"]
    job = jobset["replicatedJobs"][0]["template"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [1, 2])
    assert rule["onExitCodes"]["containerName"] == job["template"]["spec"]["containers"][0]["name"]
    assert jobset["failurePolicy"]["rules"][0]["onJobFailureReasons"] == ["PodFailurePolicy"]
    unit = configparser.ConfigParser()
    unit.read(FOLDER / "jaxgen.service")
    assert unit["Service"]["RestartPreventExitStatus"] == "1 2"
    # The command passes SIGTERM on to its member of the job; from systemd too it would be a second.
    assert unit["Service"]["KillMode"] == "mixed"
