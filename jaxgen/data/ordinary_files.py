"""Ordinary files of a bounded size: nothing else that a path may name is opened.

To open a pipe waits for whoever writes to it, and a device such as /dev/zero has no end.
"""

import os
import stat
from pathlib import Path

from jaxgen.errors import JaxgenError

MOST_TEXT = 128 * 2**20
"""Bytes of a file of text or JSON: twice the annotations of COCO."""


def check(path: Path, advice: str, most: int | None = None) -> None:
    """Refuses what is no file, or a file that is too large.

    Args:
        path: of the file.
        advice: what to do, for messages.
        most: bytes that it may have.

    Raises:
        JaxgenError: it is missing, cannot be reached, is a folder, a pipe or a device, or is larger
            than `most`.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise JaxgenError(f"{path} cannot be read (it is missing); {advice}") from error
    except (OSError, ValueError) as error:  # one with a zero byte is a ValueError
        raise JaxgenError(f"{path} cannot be read ({_reason(error)}); {advice}") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise JaxgenError(f"{path} cannot be read (it is {kind}, not a file); {advice}")
    if most is not None and found.st_size > most:
        raise JaxgenError(
            f"{path} cannot be read ({found.st_size} bytes are more than {most}); {advice}"
        )


def contents(path: Path, advice: str, most: int) -> bytes:
    """The bytes of a file.

    Args:
        path: of the file.
        advice: what to do, for messages.
        most: bytes that it may have.

    Raises:
        JaxgenError: see `check`.
    """
    check(path, advice, most)
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)  # a file of the kernel's has no size before it is read
    except OSError as error:
        raise JaxgenError(f"{path} cannot be read ({_reason(error)}); {advice}") from error
    if len(found) > most:
        raise JaxgenError(f"{path} cannot be read (more than {most} bytes); {advice}")
    return found


def text(path: Path, advice: str, most: int = MOST_TEXT) -> str:
    """The text of a file in UTF-8, without the mark that some programs put before it.

    Args:
        path: of the file.
        advice: what to do, for messages.
        most: bytes that it may have.

    Raises:
        JaxgenError: see `check`; or it is not UTF-8.
    """
    try:
        return contents(path, advice, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise JaxgenError(f"{path} cannot be read ({_reason(error)}); {advice}") from error


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
