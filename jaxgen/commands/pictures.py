"""The pictures that commands write: what their files may be called, and how large they get."""

from collections.abc import Sequence
from pathlib import Path

from jaxgen.errors import JaxgenError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
MOST_PIXELS = 2**28
"""Of one picture: what most programs still open, and what fits into any memory."""
_MOST_SIDE = 65_535  # of JPEG and GIF; larger ones of other types are opened by few programs
_MOST_SIDE_OF = {".webp": 16_383}


def refuse_out(out: Path, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Refuse a file that cannot be written.

    Args:
        out: the value of `--out`.
        suffixes: what its name may end in.

    Raises:
        JaxgenError: its name ends in something else, its folder is not there, or it is something
            else than a file.
    """
    if out.suffix not in suffixes:
        *most, last = suffixes
        raise JaxgenError(f"--out {out}: the name must end in {', '.join(most)} or {last}")
    if not out.parent.is_dir():
        raise JaxgenError(f"--out {out}: there is no folder {out.parent}")
    if out.exists() and not out.is_file():
        raise JaxgenError(f"--out {out}: there is something that is not a file")


def refuse_large(out: Path, width: int, height: int, advice: str) -> None:
    """Refuse a picture that is too large for its type of file.

    Args:
        out: the file.
        width: in pixels.
        height: in pixels.
        advice: what to do, a clause.

    Raises:
        JaxgenError: a side is too long, or all of it is too much.
    """
    side = _MOST_SIDE_OF.get(out.suffix, _MOST_SIDE)
    if max(width, height) > side or width * height > MOST_PIXELS:
        raise JaxgenError(
            f"--out {out}: a picture of {width} x {height} pixels is larger than {side} pixels a "
            f"side, or {MOST_PIXELS} in all: {advice}"
        )
