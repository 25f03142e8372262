"""Pictures of a report: small, as many as there is room for."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_MOST_FRAMES = 16
_SIDES = (1600, 1000, 700, 450, 300)
"""Pixels of the longer side, until a picture is small enough."""
_MOST_BYTES = 64 * 2**20  # of a file that is opened


def of_run(
    frames: Sequence[tuple[int, Path]], room: int, most: int = _MOST_FRAMES
) -> tuple[list[tuple[int, str, tuple[int, int]]], list[str]]:
    """Frames of a run over its steps, evenly spaced, the newest among them.

    Args:
        frames: pictures by their step.
        room: bytes that all may take, as they are written.
        most: how many to take.

    Returns:
        Step, `data:` address and size of each; and what is wrong with those that are left out. A
        single one is made as small as it takes, several are made fewer.
    """
    places = np.linspace(0, len(frames) - 1, min(most, len(frames))).astype(int).tolist()
    chosen = [frames[place] for place in dict.fromkeys(places)]
    found, problems = [], []
    for index, (step, path) in enumerate(reversed(chosen)):
        try:
            address, size = _address(path, room if not index else room // 2)
        except Exception as error:  # a damaged file makes Pillow raise nearly anything
            if isinstance(error, OSError) and error.errno is not None and path.is_file():
                raise  # the system refuses, and not the file
            problems.append(f"the picture of step {step} cannot be read")
            continue
        found.append((step, address, size))
        if not index and len(address) * len(chosen) > room:
            fewer = max(1, room // max(1, len(address)))
            if fewer < len(chosen):
                return of_run([frames[place] for place in _spaced(len(frames), fewer)], room, fewer)
    kept, total = [], 0
    for frame in found:
        total += len(frame[1])
        if total <= room or not kept:
            kept.append(frame)
    return kept[::-1], problems


def address_of(picture: np.ndarray, room: int) -> str:
    """A `data:` address of a picture, uint8 (H, W) or (H, W, 3), within so many bytes."""
    from PIL import Image

    return _shrunk(Image.fromarray(picture), room)[0]


def _spaced(count: int, most: int) -> list[int]:
    return list(dict.fromkeys(np.linspace(count - 1, 0, most).astype(int)[::-1].tolist()))


def _address(path: Path, room: int) -> tuple[str, tuple[int, int]]:
    from PIL import Image

    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("too large")
    with Image.open(path, formats=["PNG"]) as opened:
        opened.load()
        return _shrunk(opened, room)


def _shrunk(picture: Any, room: int) -> tuple[str, tuple[int, int]]:
    """The address and the size of the original."""
    from PIL import features

    kind = "WEBP" if features.check("webp") else "JPEG"
    picture = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
    best = ""
    for side in _SIDES:
        small = picture
        if max(picture.size) > side:
            small = picture.copy()
            small.thumbnail((side, side))
        elif best:
            continue  # no smaller than the one before
        written = io.BytesIO()
        small.save(written, kind, quality=78)
        best = f"data:image/{kind.lower()};base64,{base64.b64encode(written.getvalue()).decode()}"
        if len(best) <= room:
            break
    return best, picture.size
