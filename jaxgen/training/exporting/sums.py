"""SHA-256 of each file of a folder, in the form that `sha256sum -c` reads."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from jaxgen.data import ordinary_files
from jaxgen.errors import JaxgenError

NAME = "SHA256SUMS"
MOST_BYTES = 2**36
"""Of a file."""
_MOST_LINES = 64
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})")
ADVICE = "restore it from a copy"


def write(folder: Path) -> None:
    """Write the sums of all files that are in a folder."""
    found = {path.name: _sum(path) for path in sorted(folder.iterdir()) if path.name != NAME}
    (folder / NAME).write_text(_text(found), "ascii")


def verified(folder: Path, needed: tuple[str, ...]) -> dict[str, str]:
    """Hold a folder's files against their sums.

    Args:
        folder: an exported one.
        needed: files that it cannot be without.

    Returns:
        The sum of each file by its name.

    Raises:
        JaxgenError: a file is missing or not as it was written, or the sums are not.
    """
    path = folder / NAME
    text = ordinary_files.contents(path, ADVICE, 200 * _MOST_LINES).decode("ascii", "replace")
    lines = [_LINE.fullmatch(line) for line in text.splitlines()]
    found = {line[2]: line[1] for line in lines if line}
    if text != _text(found) or not set(needed) <= found.keys():
        raise JaxgenError(f"{path} is not as it was written; {ADVICE}")
    for name, expected in found.items():
        file = folder / name
        ordinary_files.check(file, ADVICE, MOST_BYTES)
        if _sum(file) != expected:
            raise JaxgenError(
                f"{file} is not as it was exported: its SHA-256 is not the one in {NAME}; {ADVICE}"
            )
    return found


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(sums: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
