"""What surrounds every command: whatever goes wrong outside of jaxgen becomes one line.

Light to import, so that even a Ctrl-C while libraries are imported is met.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from jaxgen import settings
from jaxgen.display import replacing
from jaxgen.errors import JaxgenError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory allocating")  # as XLA says it, on CPU the second
_INTERRUPTED = 128 + signal.SIGINT


def leave_on_interrupt() -> None:
    """From now on Ctrl-C ends the process at once.

    An exception would not do: raised inside a callback, of the garbage collector for one, it is
    printed and forgotten.
    """
    signal.signal(signal.SIGINT, _leave)


def _leave(number: int, frame: Any) -> None:
    replacing.abandon()
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)


def run_guarded(command: Callable[[], int | None]) -> None:
    """Run a command and exit; bad input, a system that refuses and Ctrl-C become one line."""
    previous = signal.signal(signal.SIGINT, _leave)
    try:
        sys.exit(status_of(command))
    finally:
        signal.signal(signal.SIGINT, previous)


def status_of(command: Callable[[], int | None]) -> int:
    """Run a command; bad input and a system that refuses become one line and an exit status.

    Raises:
        Exception: what is neither, and so is a defect of the code.
    """
    try:
        with settings.flags_spelled():
            status = command()
        sys.stdout.flush()  # here, where it may fail
        return status or 0
    except JaxgenError as error:
        sentence, status = str(error), error.exit_code
    except BrokenPipeError:  # whoever read the output has seen enough
        _drop_output()
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:  # raised by code of a user's own; the loop takes signals its own way
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except (OSError, MemoryError, RuntimeError) as error:
        sentence, status = _refusal(error), JaxgenError.exit_code
        if sentence is None:
            raise
    print(f"error: {sentence}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
    return status


def _refusal(error: Exception) -> str | None:
    """What the system refused, in a sentence; None if the error is one of ours."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        told = (str(error).splitlines() or [""])[0]
        return f"there is not enough memory{f' ({told})' if told else ''}; ask for less at a time"
    if not isinstance(error, OSError) or not error.strerror:
        return None
    where = f"{error.filename}: " if error.filename is not None else ""
    full = error.errno in _FULL or os.strerror(errno.ENOSPC) in error.strerror
    advice = "; free some space and repeat the command" if full else ""
    return f"{where}{error.strerror}{advice}"


def _drop_output() -> None:
    """Nothing can be written to standard output: what is left in its buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
