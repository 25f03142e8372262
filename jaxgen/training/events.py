"""`events.jsonl` of a run: what it said that is no metric, a line of JSON each.

Each line has a `kind`, the `step` after which it was said, and a checksum over its entries. Kinds:
"began", a command took up training (with what it was and ran on); "alarm", a sentence about what
looks wrong; "diverged", why training ended early.
"""

import json
from pathlib import Path
from typing import Any

from jaxgen.data import ordinary_files
from jaxgen.data.sealing import is_broken, sealed
from jaxgen.display.replacing import replacing
from jaxgen.errors import JaxgenError

NAME = "events.jsonl"
_MOST_BYTES = 16 * 2**20
_MOST_TEXT = 4000  # characters of one entry: commands may be of any length

Event = dict[str, Any]


class Events:
    """The file as it is written; cut back to `start` steps when a run goes on from there."""

    def __init__(self, path: Path, start: int) -> None:
        """Opens the file of a run that goes on after `start` steps; later events are void."""
        self._path = path
        found, _ = read_events(path)
        kept = [event for event in found if event["step"] <= start]
        with replacing(path) as temporary:
            temporary.write_text("".join(map(_line, kept)))

    def add(self, kind: str, step: int, **content: Any) -> None:
        """Append what was said after `step` steps.

        Raises:
            OSError: the disk refuses.
        """
        short = {
            name: value[:_MOST_TEXT] if isinstance(value, str) else value
            for name, value in content.items()
        }
        line = _line({"kind": kind, "step": step, **short}).encode()
        if self._path.stat().st_size + len(line) > _MOST_BYTES:
            return
        with self._path.open("ab") as file:
            file.write(line)


def read_events(path: Path) -> tuple[list[Event], str]:
    """The events of a run, and what is wrong with their file; "" for nothing.

    Lines that are not as they were written are left out; so is one that a killed process left
    unfinished, which is nothing wrong.
    """
    if not path.is_file():
        return [], ""
    try:
        content = ordinary_files.contents(path, "it is left out", _MOST_BYTES)
    except JaxgenError as error:
        return [], str(error)
    *lines, unfinished = content.split(b"\n")
    events = [event for line in lines if (event := _event(line))]
    missing = len(lines) - len(events)
    if unfinished and (event := _event(unfinished)):
        events.append(event)
    return events, f"{missing} of {len(lines)} lines of {path} are damaged" if missing else ""


def _line(event: Event) -> str:
    # A checksum of its own only while it is a line: `read_events` takes it out.
    return json.dumps(sealed(event)) + "\n"


def _event(line: bytes) -> Event | None:
    try:
        event = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or "sha256" not in event or is_broken(event):
        return None
    is_one = isinstance(event.get("kind"), str) and isinstance(event.get("step"), int)
    return event if is_one else None
