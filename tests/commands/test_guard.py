"""Whatever goes wrong outside of jaxgen becomes one line, with the status that fits."""

import errno
import signal
import subprocess
import sys
import time

import pytest

from jaxgen.commands import guard
from jaxgen.errors import JaxgenError


def ended(command, capsys):
    with pytest.raises(SystemExit) as stop:
        guard.run_guarded(command)
    return stop.value.code, capsys.readouterr().err


def raising(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (JaxgenError("no such thing"), "error: no such thing"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "error: No space left on device; free some space and repeat the command",
        ),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded", "a.csv"),
            "error: a.csv: Disk quota exceeded; free some space and repeat the command",
        ),
        (
            OSError(None, "No space left on device (os error 28)", "a"),
            "error: a: No space left on device (os error 28); free some space and repeat the "
            "command",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "b"), "error: b: Permission denied"),
        (MemoryError(), "error: there is not enough memory; ask for less at a time"),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nmore"),
            "error: there is not enough memory (RESOURCE_EXHAUSTED: Out of memory allocating 9 "
            "bytes.); ask for less at a time",
        ),
    ],
)
def test_bad_input_and_a_system_that_refuses_are_one_line(error, line, capsys):
    assert ended(raising(error), capsys) == (2, f"{line}\n")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("no number"), KeyError("a")])
def test_what_is_a_bug_stays_one(error):
    with pytest.raises(type(error)):
        guard.run_guarded(raising(error))


WRITES = """
import signal, sys
from pathlib import Path
from jaxgen.commands.guard import run_guarded
from jaxgen.display.replacing import replacing

class Heard:
    def __del__(self):  # an exception in here would be printed and forgotten
        signal.raise_signal(signal.SIGINT)

def command():
    with replacing(Path(sys.argv[1]) / "a.png") as temporary:
        temporary.write_text("half")
        Heard()
        print("went on")

run_guarded(command)
"""


def test_ctrl_c_ends_a_command_wherever_it_is_and_leaves_nothing_half_written(tmp_path):
    command = [sys.executable, "-c", WRITES, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
    assert not list(tmp_path.iterdir())


def test_the_handler_is_put_back(capsys):
    before = signal.getsignal(signal.SIGINT)
    assert ended(lambda: 0, capsys) == (0, "")
    assert signal.getsignal(signal.SIGINT) is before


def test_output_that_cannot_be_written_is_one_line():
    program = "from jaxgen.commands.guard import run_guarded; run_guarded(lambda: print('x' * 99))"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr.decode()) == (
        2,
        "error: No space left on device; free some space and repeat the command\n",
    )


AS_A_COMMAND = """
import runpy, sys
sys.argv = ["-m", "--workdir", sys.argv[1]]  # as `python -m` has it while packages are imported
import experiments  # runpy's own first step; before it Ctrl-C is Python's, however long that takes
print("up", flush=True)
runpy.run_module("experiments.vanilla_gan", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("times", [1, 2, 3])
def test_ctrl_c_as_often_as_one_likes_is_no_traceback(tmp_path, times):
    """Aimed at the time when libraries are imported, and again while it is obeyed."""
    for wait in (0.0, 0.1, 0.5):
        process = subprocess.Popen(
            [sys.executable, "-c", AS_A_COMMAND, str(tmp_path / "run")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(wait)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        told = process.communicate(timeout=60)[1].decode()
        assert "Traceback" not in told
        assert process.returncode in (130, -signal.SIGINT), told
