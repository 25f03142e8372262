"""A few captions drawn at random, to look at.

B captions, T tokens of a caption, F width of a feature.
"""

from typing import Literal, NamedTuple

import numpy as np

from jaxgen.data.captions.contents import CaptionData
from jaxgen.errors import JaxgenError


class Minibatch(NamedTuple):
    """Captions with what belongs to the image of each."""

    captions: np.ndarray
    """int32 (B, T)."""
    features: np.ndarray
    """float32 (B, F), or (B, tokens, F)."""
    urls: list[str]
    """B places of the pictures, for `jaxgen.data.fetch`."""


def sample_minibatch(
    data: CaptionData,
    batch_size: int = 100,
    split: Literal["train", "validation"] = "train",
    seed: int = 0,
) -> Minibatch:
    """Draw captions of a split, each as likely as any other; one may come twice.

    The course's `sample_coco_minibatch`, as a function of the seed. (Training does not draw: it
    takes each caption once in an epoch.)

    Args:
        data: as `jaxgen.data.captions.base.load_captions` returns it.
        batch_size: B.
        split: which captions.
        seed: of the draw.

    Returns:
        The captions, with features and URLs of their images.

    Raises:
        JaxgenError: no such split, no caption in it, or a number out of its range.
    """
    if split not in ("train", "validation"):
        raise JaxgenError(f"split must be 'train' or 'validation', got {split!r}")
    if batch_size < 1 or seed < 0:
        raise JaxgenError(
            f"batch_size {batch_size} must be at least 1 and seed {seed} not negative"
        )
    chosen = data.train if split == "train" else data.validation
    captions_NT, image_N = chosen.captions["captions"], chosen.captions["image_index"]
    if not len(captions_NT):
        raise JaxgenError(f"the split {split!r} has no captions to draw from")
    rows_B = np.random.default_rng(seed).integers(len(captions_NT), size=batch_size)
    image_B = image_N[rows_B]
    urls = [str(chosen.urls[image]) for image in image_B]
    return Minibatch(captions_NT[rows_B], chosen.features.gather(image_B), urls)
