"""Pictures of where the words of captions looked.

N captions, L words of a caption, M memory tokens, T side of their grid.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxgen.captioning.writing import Writer
from jaxgen.display import plots
from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import plain
from jaxgen.settings import flag

PyTree = Any
MOST_WORDS_MAPPED = 256
"""Of captions whose attention is kept as they are shown; it takes the square of the length."""


def maps(
    writer: Writer,
    params: PyTree,
    features: np.ndarray,
    words_NL: np.ndarray,
    has_grid: bool,
) -> list[np.ndarray | None]:
    """Where each word of captions looked in its picture.

    Args:
        writer: of the captioner.
        params: of the captioner.
        features: float, or uint8 of pictures, (N, *feature_shape).
        words_NL: captions without START.
        has_grid: whether the memory tokens may be a grid in reading order.

    Returns:
        For each caption float (L, h, w); None where its words look at no grid, or are too many.
    """
    nowhere: list[np.ndarray | None] = [None] * len(words_NL)
    if not has_grid or words_NL.shape[1] > MOST_WORDS_MAPPED:
        return nowhere
    weights_NLM = writer.attention(params, features, words_NL)
    side = 0 if weights_NLM is None else math.isqrt(weights_NLM.shape[2])
    if weights_NLM is None or side < 2 or side * side != weights_NLM.shape[2]:
        return nowhere
    return [_placed(writer, weights_LM.reshape(-1, side, side)) for weights_LM in weights_NLM]


def _placed(writer: Writer, maps_LTT: np.ndarray) -> np.ndarray:
    """Maps over the picture, (L, h, w): of an encoder whose tokens see cells' corners, in quarters.

    The first row and column then have a half of their cells outside of the picture.
    """
    encoder = getattr(plain(writer.module), "encoder", None)
    if not getattr(encoder, "at_corners", False):
        return maps_LTT
    quarters = maps_LTT.repeat(2, axis=1).repeat(2, axis=2)
    return np.pad(quarters[:, 1:, 1:], ((0, 0), (0, 1), (0, 1)))


def drawn(
    writer: Writer,
    params: PyTree,
    features: np.ndarray,
    words_NL: np.ndarray,
    pictures: Sequence[np.ndarray | None],
    has_grid: bool,
    columns: int = 10,
    side: int = 96,
) -> np.ndarray:
    """A picture of where each word of captions looked.

    Args:
        writer: of the captioner.
        params: of the captioner.
        features: float, or uint8 of pictures, (N, *feature_shape).
        words_NL: captions without START.
        pictures: of the images, uint8 (H, W, 3), or None for one that is missing.
        has_grid: whether the memory tokens may be a grid in reading order.
        columns: words in a line.
        side: pixels of a word's copy of the picture.

    Returns:
        uint8 (height, width, 3).

    Raises:
        JaxgenError: the captioner cannot choose where to look.
    """
    # Attention takes the square of the length.
    words_NL = words_NL[:, : max(1, *np.count_nonzero(words_NL != writer.special.null, axis=1))]
    weights_NLM = writer.attention(params, features, words_NL)
    if weights_NLM is None or weights_NLM.shape[2] == 1:
        raise JaxgenError(
            "this captioner has no more than one memory token to attend to; one that attends, "
            f"trained on {flag('data.features')} grid, has several"
        )
    tokens = weights_NLM.shape[2]
    grid_side = math.isqrt(tokens)
    is_grid = has_grid and grid_side * grid_side == tokens
    rows = []
    for picture, words_L, weights_LM in zip(pictures, words_NL, weights_NLM, strict=True):
        # END may have looked somewhere too, and is the last word.
        words = writer.vocabulary.tokens(words_L, markers=True)
        shape = (grid_side, grid_side) if is_grid else (1, -1)
        maps = weights_LM[: len(words)].reshape(len(words), *shape)
        maps = _placed(writer, maps) if is_grid else maps
        rows.append((picture if is_grid else None, words, maps))
    return plots.attended(rows, columns, side)
