"""Scalars and pictures for TensorBoard, in a file that is written at once, by no thread.

The library's writer has a thread and a queue. On a full disk they print tracebacks, or wait for
each other for ever. What cannot be written here is said once, and left out.
"""

import platform
import struct
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np


def _import_library() -> None:
    """Import tensorboardX without PyTorch.

    It would import PyTorch where there is one, for an annotation: 2 s and 480 MB of each run.
    """
    if "tensorboardX" in sys.modules or "torch" in sys.modules:
        return
    sys.modules["torch"] = cast(Any, None)  # and so it is not to be found
    try:
        import_module("tensorboardX")
    finally:
        del sys.modules["torch"]


class Board:
    """The events of one process, in `tensorboard/` of a run."""

    def __init__(self, folder: Path, start: int) -> None:
        """Takes the folder, and the steps done before: later ones of older files are void."""
        self._folder, self._start = folder, start
        self._path: Path | None = None
        self._failed = False

    def scalars(self, step: int, figures: dict[str, float]) -> None:
        """Figures after `step` steps."""
        _import_library()
        from tensorboardX import summary

        for name, value in figures.items():
            self._add(step=step, summary=summary.scalar(name, value))

    def picture(self, step: int, picture: np.ndarray) -> None:
        """A picture after `step` steps, uint8 (H, W) or (H, W, C)."""
        _import_library()
        from tensorboardX import summary

        shown = summary.image("samples", np.atleast_3d(picture), dataformats="HWC")
        self._add(step=step, summary=shown)

    def _add(self, **content: Any) -> None:
        if self._failed:
            return
        from tensorboardX.proto import event_pb2

        messages: Any = event_pb2  # whose classes are made when it is imported
        try:
            if self._path is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                name = f"events.out.tfevents.{int(time.time())}.{platform.node()}"
                self._path = self._folder / name
                self._write(messages.Event(file_version="brain.Event:2"))
                started = messages.SessionLog(status=messages.SessionLog.START)
                self._write(messages.Event(step=self._start + 1, session_log=started))
            self._write(messages.Event(**content))
        except OSError as error:
            self._failed = True
            print(f"warning: {self._folder} goes without events ({error})", file=sys.stderr)

    def _write(self, event: Any) -> None:
        from tensorboardX.record_writer import masked_crc32c

        event.wall_time = time.time()
        data = event.SerializeToString()
        length = struct.pack("Q", len(data))
        parts = [length, masked_crc32c(length), data, masked_crc32c(data)]
        assert self._path is not None
        with self._path.open("ab") as file:
            file.write(b"".join(p if isinstance(p, bytes) else struct.pack("I", p) for p in parts))
