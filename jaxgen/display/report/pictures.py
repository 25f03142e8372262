"""Pictures of a report: small, as many as there is room for."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
    problems: list[str] = []
    if not frames:
        return [], problems

    def shrunk(step: int, path: Path, room: int, side: int) -> _Shrunk | None:
        try:
            return _shrunk(_opened(path), room, side)
        except Exception as error:  # a damaged file makes Pillow raise nearly anything
            if isinstance(error, OSError) and error.errno is not None and path.is_file():
                raise  # the system refuses, and not the file
            problems.append(f"the picture of step {step} cannot be read")
            return None

    rest, newest = list(frames), None
    while rest and newest is None and len(problems) < most:
        step, path = rest[-1]
        newest = shrunk(step, path, room // 3 if len(rest) > 1 else room, _SIDES[0])
        if newest is None:
            rest.pop()
    if newest is None:
        return [], problems
    count = max(1, min(most, len(rest), room // len(newest.address)))
    places = np.linspace(len(rest) - 1, 0, count).astype(int).tolist()
    found, total = [(rest[-1][0], newest.address, newest.size)], len(newest.address)
    for place in dict.fromkeys(places[1:]):
        step, path = rest[place]
        if frame := shrunk(step, path, room, newest.side):
            total += len(frame.address)
            if total > room:
                break
            found.append((step, frame.address, frame.size))
    return found[::-1], problems


def address_of(picture: np.ndarray, room: int) -> str:
    """A `data:` address of a picture, uint8 (H, W) or (H, W, 3), within so many bytes."""
    from PIL import Image

    return _shrunk(Image.fromarray(picture), room).address


class _Shrunk(NamedTuple):
    """A picture as an address."""

    address: str
    size: tuple[int, int]
    """Of the original."""
    side: int
    """Pixels that its longer side was to have at most."""


def _opened(path: Path) -> Any:
    from PIL import Image

    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("too large")
    with Image.open(path, formats=["PNG"]) as opened:
        opened.load()
        return opened.copy()


def _shrunk(picture: Any, room: int, first: int = _SIDES[0]) -> _Shrunk:
    """A picture within so many bytes, or as small as it gets; its side is `first` at most."""
    from PIL import features

    kind = "WEBP" if features.check("webp") else "JPEG"
    picture = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
    best = None
    for side in (side for side in _SIDES if side <= first):
        if best and max(picture.size) <= side:
            continue  # no smaller than the one before
        small = picture.copy()
        small.thumbnail((side, side))
        written = io.BytesIO()
        small.save(written, kind, quality=78)
        content = base64.b64encode(written.getvalue()).decode()
        best = _Shrunk(f"data:image/{kind.lower()};base64,{content}", picture.size, side)
        if len(best.address) <= room:
            break
    assert best is not None
    return best
