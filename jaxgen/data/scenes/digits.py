"""The real digits that scenes are made of: training and validation scenes share none of them."""

from collections.abc import Sequence

import numpy as np

from jaxgen.data.images import mnist5k
from jaxgen.data.scenes.rendering import VALUES, Glyphs, cut_glyphs

VALIDATION_PER_VALUE = 60  # of the 500 digits of each value

Digits = dict[str, np.ndarray]


def split() -> tuple[Digits, Digits]:
    """The digits for training scenes and those for validation scenes.

    Returns:
        Two dicts of `image` uint8 (N, 28, 28, 1) and `label` int32 (N,): 4,400 and 600 digits.
    """
    digits = mnist5k.Mnist5k().load()
    rows_of = [np.flatnonzero(digits["label"] == value) for value in range(VALUES)]
    held_out = np.concatenate([rows[-VALIDATION_PER_VALUE:] for rows in rows_of])
    is_held_out = np.isin(np.arange(len(digits["label"])), held_out)
    return (
        {name: array[~is_held_out] for name, array in digits.items()},
        {name: array[is_held_out] for name, array in digits.items()},
    )


def glyphs(digits: Digits, angles: Sequence[float] = (0.0,)) -> Glyphs:
    """Those digits cut out and scaled, turned by each of the angles in degrees."""
    return cut_glyphs(digits["image"], digits["label"], angles)
