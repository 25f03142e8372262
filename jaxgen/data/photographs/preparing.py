"""Photographs as encoders take them: squares of pixels of one size.

S side of the square.
"""

from pathlib import Path

import numpy as np

from jaxgen.data import picture_files
from jaxgen.data.photographs.identity import Crop
from jaxgen.nn.encoders.base import Resampling

_MARGIN = 256 / 224  # of the side to which a photograph is scaled before its centre is cut out


def prepared(
    file: Path | bytes,
    size: int,
    crop: Crop,
    resampling: Resampling,
    most: int = picture_files.MOST_PIXELS,
) -> np.ndarray:
    """The square of a photograph that an encoder sees.

    With the crop "centre" what torchvision's evaluation takes: the shorter side scaled to 256 (for
    a size of 224, in proportion for others), and the centre cut out, seven eighths of that side.
    With "whole" all of the photograph, squeezed into the square.

    Args:
        file: its path or its contents, read by `picture_files.opened`.
        size: S.
        crop: what of it is taken.
        resampling: the filter.
        most: pixels to decode here.

    Returns:
        uint8 (S, S, 3).

    Raises:
        JaxgenError, Large, Exception: as `picture_files.opened` does.
    """
    from PIL import Image

    shorter = round(size * _MARGIN)
    photograph = picture_files.opened(file, shorter, most)
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    box = _centre(photograph.size, shorter, size) if crop == "centre" else None
    return np.asarray(photograph.resize((size, size), filters[resampling], box))


def _centre(
    measures: tuple[int, int], shorter: int, size: int
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the centre, in pixels of the photograph.

    It is scaled and cut at once: to scale all of a long and thin picture could take any memory.
    """
    scaled = [max(shorter, int(shorter * side / min(measures))) for side in measures]
    # torchvision's order: halves are rounded to even.
    starts = [round((side - size) / 2.0) for side in scaled]
    edges = [
        (start * side / whole, (start + size) * side / whole)
        for start, side, whole in zip(starts, measures, scaled, strict=True)
    ]
    (left, right), (top, bottom) = edges
    return left, top, right, bottom
