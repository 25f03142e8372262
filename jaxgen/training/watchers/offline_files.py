"""Files of Weights & Biases: how far one goes that a killed process left.

Their form is that of LevelDB's logs: a head of 7 bytes, then blocks of 32 KiB with parts of
records, each after its checksum, size and kind.
"""

import importlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK, _HEAD, _MOST_BYTES = 32768, 7, 2**28
_FULL, _FIRST, _LAST = 1, 2, 4


def last_step(folder: Path, run_id: str) -> int | None:
    """The last step of a run's history in the files of its earlier sessions.

    Args:
        folder: that holds `wandb/`.
        run_id: the run's.

    Returns:
        0 where they hold none; None where there is no file, or it cannot be read.
    """
    steps, paths = [0], list(folder.glob(f"wandb/offline-run-*-{run_id}/run-{run_id}.wandb"))
    try:
        messages: Any = importlib.import_module("wandb.proto.wandb_internal_pb2")
        for path in paths:
            if path.stat().st_size > _MOST_BYTES:
                return None
            for content in _records(path.read_bytes()):
                record = messages.Record.FromString(content)
                if record.WhichOneof("record_type") == "history":
                    steps.append(record.history.step.num)
    except Exception:  # a form that later versions may have: then the note counts
        return None
    return max(steps) if paths else None


def _records(data: bytes) -> Iterator[bytes]:
    at, parts = _HEAD, b""
    while at + _HEAD <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + _HEAD])
        part, at = data[at + _HEAD : at + _HEAD + size], at + _HEAD + size
        if not kind or len(part) < size:  # where writing broke off
            return
        parts = part if kind in (_FULL, _FIRST) else parts + part
        if kind in (_FULL, _LAST):
            yield parts
