"""Commands are watched as processes; the ones here only tell of steps."""

import numpy as np
import pytest

from benchmarks import commands
from benchmarks.commands import Watched
from benchmarks.measuring import Settings
from jaxgen.errors import JaxgenError

TELLING = """
import os, sys, time
print("starting", file=sys.stderr)
print("step 5/10  loss 3", flush=True)
kept = bytearray(64 * 2**20)
time.sleep(0.2)
print("step 10/10  loss 2", file=sys.stderr, flush=True)
print(os.environ["MARK"])
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that `python -m` finds."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "told.py").write_text(text)
        return "told"

    return write


def test_steps_exit_and_memory_of_a_command(module):
    own = np.ones(128 * 2**20, np.uint8)  # this process's memory, not the command's
    seen = commands.watch([module(TELLING)], {"MARK": "x"})
    del own
    assert list(seen.step_seconds) == [5, 10]
    assert 0.2 <= seen.step_seconds[10] - seen.step_seconds[5] < seen.exit_seconds
    assert seen.step_seconds[10] <= seen.exit_seconds
    assert 64 < seen.peak_mib < 128


def test_the_lines_of_the_experiments_are_understood(module):
    telling = (
        "from jaxgen.display.progress import Progress; Progress(20).update(15, {'d_loss': 1.5})"
    )
    assert list(commands.watch([module(telling)], {}).step_seconds) == [15]


def test_a_command_that_fails_is_told_with_its_last_words(module):
    with pytest.raises(JaxgenError, match=r"python -m told ended with 3: step 1/2 / no luck$"):
        commands.watch([module("print('step 1/2'); print('no luck'); raise SystemExit(3)")], {})


def test_a_command_without_steps_is_refused(module):
    with pytest.raises(JaxgenError, match=r"python -m told ended with 0: nothing$"):
        commands.watch([module("print('nothing')")], {})


@pytest.fixture
def watched(monkeypatch):
    """Commands that are not run: PyTorch takes 30 ms a step, jaxgen 10, both after 5 s."""
    calls = []

    def watch(command, environment):
        calls.append((command, environment))
        each = 0.03 if command[0] == "benchmarks.torch_training" else 0.01
        steps = int(command[command.index("--steps") + 1])
        log_every = (
            int(command[command.index("--log-every") + 1]) if "--log-every" in command else 1
        )
        told = {step: 5 + each * step for step in range(log_every, steps + 1, log_every)}
        return Watched(told, 6 + each * steps, 250.0)

    monkeypatch.setattr(commands, "watch", watch)
    return calls


def row_titles(rows):
    return [row["title"].rpartition(": ")[2] for row in rows]


def test_training_is_timed_from_a_step_on_and_in_turns(watched):
    [training] = [c for c in commands.comparisons() if c.title == "DCGAN command, training"]
    rows = training.rows(Settings(repeats=7))
    assert row_titles(rows) == ["a step, from step 200 on", "peak memory"]
    assert rows[0]["jaxgen"] == pytest.approx(10)
    assert rows[0]["ratio"] == pytest.approx(3)
    assert rows[0]["rounds"] == commands.MOST_ROUNDS
    assert (rows[1]["jaxgen"], rows[1]["unit"]) == (250, "MiB")
    modules = [command[0] for command, _ in watched]
    assert modules == ["experiments.dcgan", "benchmarks.torch_training"] * commands.MOST_ROUNDS
    workdirs = [command[-1] for command, _ in watched if command[0] == "experiments.dcgan"]
    assert len(set(workdirs)) == commands.MOST_ROUNDS  # a run in the same folder would go on


def test_each_start_has_its_own_cache_first_empty_then_filled(watched):
    [start] = [c for c in commands.comparisons() if c.title == "DCGAN command, start"]
    rows = start.rows(Settings(repeats=2))
    assert row_titles(rows) == [
        "first step with an empty cache",
        "two steps and exit with an empty cache",
        "first step with a warm cache",
        "two steps and exit with a warm cache",
    ]
    assert [row["jaxgen"] for row in rows] == pytest.approx([5.01, 6.02, 5.01, 6.02])
    caches = [environment["JAXGEN_CACHE_DIR"] for _, environment in watched]
    assert caches[0] == caches[1] != caches[2] == caches[3]
    assert len({command[-1] for command, _ in watched}) == 4
