"""Folders that a command fills over minutes or hours: what may stand in them, and what goes."""

from collections.abc import Collection
from pathlib import Path

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag


def check(out: Path) -> None:
    """Refuses a place where no folder can be, and a file.

    Raises:
        JaxgenError: the folder above is missing, or `out` is something else.
    """
    if not out.parent.is_dir():
        raise JaxgenError(f"{flag('out')} {out}: there is no folder {out.parent}")
    if out.exists() and not out.is_dir():
        raise JaxgenError(f"{flag('out')} {out} is not a folder; name a new or an empty one")


def refuse_foreign(out: Path, ours: Collection[str], beginnings: tuple[str, ...]) -> None:
    """Refuses a folder that holds anything but files of these names, or with these beginnings.

    Raises:
        JaxgenError: it names one.
    """
    for path in out.iterdir():
        if path.name not in ours and not path.name.startswith(beginnings):
            raise JaxgenError(
                f"{flag('out')} {out} has something else in it ({path.name}); name a new or an "
                "empty folder"
            )


def tidy(out: Path, *beginnings: str) -> None:
    """Removes what a killed process was writing, or what only the work itself needs."""
    for path in out.iterdir():
        if path.name.startswith(beginnings):
            path.unlink(missing_ok=True)
