"""The process in which parsers are tried: it may crash, hang or take all memory, and is replaced.

It reads requests from standard input, a line of JSON each, and answers each with a line:

    {"make": NAME, "folder": PATH}    writes the sample of a format
    {"read": NAME, "folder": PATH}    reads a folder as the package does
"""

import dataclasses
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.errors import JaxgenError
from tests.faults.formats import Format, Unsound
from tests.faults.parsers import FORMATS

LONGEST = 20_000
"""Characters of a sentence, of which paths are a part."""


def main() -> None:
    """Answers requests until there are no more."""
    # What the parsers print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    formats = {form.name: form for form in FORMATS}
    written: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        folder = Path(request["folder"])
        os.environ["JAXGEN_CACHE_DIR"] = str(folder / "cache")
        if "make" in request:
            form = formats[request["make"]]
            form.make(folder)
            answer: dict[str, Any] = {"failure": ""}
        else:
            before = _reset_peak()
            answer = _tried(formats[request["read"]], folder, written)
            answer["grew_mb"] = (_status("VmHWM") - before) / 1024
        print(json.dumps(answer), file=answers, flush=True)


def _tried(form: Format, folder: Path, written: dict[str, Any]) -> dict[str, Any]:
    """What came of reading a folder; the first of each format is the sound sample."""
    try:
        found = form.read(folder)
        if form.whole and not _same(found, written.setdefault(form.name, found)):
            return {"failure": "damage passes for what was written"}
        return {"failure": "", "told": ""}
    except JaxgenError as error:
        told = str(error)
        if not told or len(told) > LONGEST or not told.isprintable():
            return {"failure": f"no sentence: {told[:LONGEST]!r}"}
        return {"failure": "", "told": told}
    except Unsound as error:
        return {"failure": f"unsound: {error}"}
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-3:]
        lines = " < ".join(f"{Path(at.filename).name}:{at.lineno}" for at in reversed(place))
        return {"failure": f"{type(error).__name__}: {str(error)[:300]} ({lines})"}


def _same(found: Any, written: Any) -> bool:
    if isinstance(found, dict) and isinstance(written, dict):
        return found.keys() == written.keys() and all(_same(found[k], written[k]) for k in found)
    if isinstance(found, np.ndarray):
        return found.dtype == written.dtype and np.array_equal(found, written)
    if dataclasses.is_dataclass(found):
        return found == written
    return found is None or found == written


def _reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    """A number of kilobytes that the kernel tells of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
