"""Arrays of a user's own, as a model needs them."""

from typing import Any

import numpy as np

from jaxgen.data.images.base import to_model_range
from jaxgen.errors import JaxgenError


def checked_noise(given: Any, width: int, what: str = "noise") -> np.ndarray:
    """Rows of numbers.

    Args:
        given: floats (n, width), n >= 1.
        width: of a row.
        what: to call it in messages.

    Returns:
        float32.

    Raises:
        JaxgenError: something else, or values that are not finite.
    """
    try:
        rows = np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise JaxgenError(f"{what} must be an array of numbers ({error})") from error
    if rows.ndim != 2 or rows.shape[1] != width or not rows.size:
        raise JaxgenError(f"{what} must have the shape (n, {width}), got {rows.shape}")
    if not np.isfinite(rows).all():
        raise JaxgenError(f"{what} must be finite")
    return rows


def checked_images(given: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """Images of a model's shape.

    Args:
        given: floats in [-1, 1] or uint8, (n, H, W, C), or (n, H, W) for one channel.
        shape: (H, W, C).

    Returns:
        float32 (n, H, W, C) in [-1, 1].

    Raises:
        JaxgenError: something else.
    """
    try:
        images = np.asarray(given)
    except ValueError as error:  # images of different sizes
        raise JaxgenError(f"images must be one array ({error})") from error
    if images.ndim == 3 and shape[-1] == 1:
        images = images[..., None]
    if images.ndim != 4 or images.shape[1:] != shape or not len(images):
        raise JaxgenError(f"images must have the shape (n, {str(shape)[1:-1]}), got {images.shape}")
    if images.dtype == np.uint8:
        return to_model_range(images)
    if images.dtype.kind != "f" or not np.isfinite(images).all() or np.abs(images).max() > 1.001:
        raise JaxgenError("images must be floats in [-1, 1], or uint8")
    return images.astype(np.float32)
