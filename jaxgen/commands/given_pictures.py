"""Pictures that a command line names, as a model's data set would read them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgen.data import picture_batches, picture_files
from jaxgen.errors import JaxgenError


def read(
    paths: Sequence[Path], shape: tuple[int, int, int], *, negative: bool = False
) -> tuple[np.ndarray, list[int]]:
    """Pictures of any size, colour and orientation as images of a model.

    The largest part of the model's proportions in the middle of a picture is scaled to its size.
    Of those that cannot be read sentences on standard error say why, and they are left out.

    Args:
        paths: of the files.
        shape: (H, W, C) of the model's images.
        negative: exchange black and white.

    Returns:
        uint8 (N, H, W, C), N >= 1, and the places of those that could be read.

    Raises:
        JaxgenError: none of them can be read.
    """
    height, width, channels = shape
    picture_batches.quiet()
    images, places, problems = [], [], []
    for place, path in enumerate(paths):
        try:
            upright = picture_files.opened(path, max(height, width))
            fitted = picture_files.fitted(upright, width, height)
        except Exception as error:  # foreign files make decoders raise nearly anything
            problems.append(picture_files.problem(path, error))
            continue
        images.append(np.asarray(fitted))
        places.append(place)
    if not images:
        others = f", and neither can the other {len(problems) - 1}" if problems[1:] else ""
        raise JaxgenError(f"a picture cannot be read: {problems[0]}{others}")
    picture_files.report(problems, len(paths))
    colour = "grey" if channels == 1 else "rgb"
    image_NHWC = picture_files.in_colour(np.stack(images), colour)
    return (255 - image_NHWC if negative else image_NHWC), places
