"""Each process of a job on this machine gets its place in it, and its devices."""

import subprocess
import sys

from benchmarks import local_jobs

PROGRAM = "import os, sys; print(os.environ['JAX_NUM_CPU_DEVICES'], *sys.argv[1:])"


def words(commands, devices):
    started = local_jobs.start(commands, devices, stdout=subprocess.PIPE)
    return [process.communicate(timeout=60)[0].split() for process in started]


def test_each_process_is_told_which_one_it_is():
    command = [sys.executable, "-c", PROGRAM]
    first, second = words([[*command, "a"], [*command, "b"]], devices=3)
    assert first[:3] == ["3", "a", "--coordinator"]
    assert second[:3] == ["3", "b", "--coordinator"]
    assert first[3] == second[3] and first[3].startswith("127.0.0.1:")
    assert first[4:] == ["--processes", "2", "--process", "0"]
    assert second[4:] == ["--processes", "2", "--process", "1"]


def test_a_single_process_is_none_of_a_job():
    assert words([[sys.executable, "-c", PROGRAM]], devices=1) == [["1"]]
