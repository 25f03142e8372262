"""Images in rows and columns that have names.

R rows, K columns, H height, W width, C channels (1 grey or 3 colours).
"""

from collections.abc import Sequence

import numpy as np

from jaxgen.display.plots import to_bytes

_FONT, _LINE = 13, 18  # pixels of the letters, and of a line of them
_PADDING, _GAP = 4, 12
_LETTER = 8  # about the width of one


def size(
    rows: int, shape: tuple[int, int], headings: Sequence[str], names: Sequence[str], scale: int
) -> tuple[int, int]:
    """Width and height of what `table` makes of images of this height and width."""
    column, row = shape[1] * scale + _PADDING, shape[0] * scale + _PADDING
    left = _LETTER * max(map(len, names), default=0) + _PADDING
    return left + len(headings) * column + _GAP, _LINE + rows * row + _PADDING


def table(
    images_RKHWC: np.ndarray,
    headings: Sequence[str],
    names: Sequence[str] = (),
    scale: int = 2,
    first_apart: bool = False,
) -> np.ndarray:
    """Images on white, with a word above each column and before each row.

    Args:
        images_RKHWC: floats in [-1, 1].
        headings: K words; what is wider than its column is cut.
        names: R words, or none.
        scale: pixels of the picture for one of an image, each way.
        first_apart: leave a gap after the first column.

    Returns:
        uint8 (height, width, 3).
    """
    from PIL import Image, ImageDraw, ImageFont

    rows, _, height, width, _ = images_RKHWC.shape
    canvas = Image.new("RGB", size(rows, (height, width), headings, names, scale), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=_FONT)
    left = _LETTER * max(map(len, names), default=0) + _PADDING
    for column, heading in enumerate(headings):
        across = left + column * (width * scale + _PADDING) + _GAP * (first_apart and column > 0)
        draw.text((across, 0), heading[: max(1, width * scale // _LETTER + 1)], "black", font)
        for row, name in zip(range(rows), [*names, *[""] * rows], strict=False):
            down = _LINE + row * (height * scale + _PADDING)
            if column == 0:
                draw.text((_PADDING, down + (height * scale - _LINE) // 2), name, "black", font)
            pixels = to_bytes(images_RKHWC[row, column]).repeat(scale, 0).repeat(scale, 1)
            cell = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
            canvas.paste(cell.convert("RGB"), (across, down))
    return np.asarray(canvas)
