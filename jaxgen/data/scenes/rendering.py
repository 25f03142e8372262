"""Scenes of one to three real digits on a canvas: what is in them, and how they are drawn.

The classes of every attribute are kept apart by a margin, so that a sentence about a scene is
plainly true or plainly false. Legend: N scenes, S slots for digits (3), A attributes (5).
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CANVAS = 64  # pixels a side
SLOTS = 3  # digits in a scene, at most
EMPTY = -1  # every attribute of a slot without a digit

COLOURS = {
    "red": (228, 40, 40),
    "orange": (255, 140, 20),
    "yellow": (250, 230, 50),
    "green": (40, 190, 70),
    "blue": (50, 110, 255),
    "purple": (150, 60, 215),
    "pink": (255, 135, 200),
    "white": (245, 245, 245),
}
SIZES = {"small": (12, 13, 14), "large": (18, 19, 20)}  # pixels of the longer side
JITTER = {"small": 3, "large": 1}  # pixels that a digit's centre may lie off its cell's
CENTRES = (11, 32, 53)  # of the rows from the top and the columns from the left, in pixels
VALUES, GRID = 10, len(CENTRES)

_GLYPH = 20  # pixels a side of a stored glyph, room for the largest
_GLYPH_SIZES = tuple(pixels for sizes in SIZES.values() for pixels in sizes)
_INK = [255 * (level > 40) for level in range(256)]  # what of a grey picture is the digit
_DARKEST, _TINT = 48, 10  # background below this; colours vary by this much in each channel


class Digit(NamedTuple):
    """One digit of a scene, as the indices that the facts arrays hold."""

    value: int
    """0 to 9."""
    colour: int
    """Index into COLOURS."""
    size: int
    """Index into SIZES."""
    row: int
    """0 top, 1 middle, 2 bottom."""
    column: int
    """0 left, 1 middle, 2 right."""


Scene = tuple[Digit, ...]
CLASSES = Digit(VALUES, len(COLOURS), len(SIZES), GRID, GRID)  # of each attribute


def sample_facts(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws what is in each scene: one to three digits in different cells of a 3x3 grid.

    Args:
        rng: source of randomness.
        size: scenes to draw.

    Returns:
        int8 (N, S, A): the fields of `Digit`, digits in reading order, empty slots EMPTY.
    """
    cells_NS = np.argsort(rng.random((size, GRID * GRID)), axis=1)[:, :SLOTS]
    is_empty_NS = np.arange(SLOTS)[None, :] >= rng.integers(1, SLOTS + 1, size)[:, None]
    cells_NS = np.sort(np.where(is_empty_NS, GRID * GRID, cells_NS), axis=1)
    value, colour, size_class = (rng.integers(0, n, (size, SLOTS)) for n in CLASSES[:3])
    row, column = np.divmod(cells_NS, GRID)
    facts_NSA = np.stack([value, colour, size_class, row, column], axis=-1)
    return np.where(is_empty_NS[:, :, None], EMPTY, facts_NSA).astype(np.int8)


def scenes_of(facts_NSA: np.ndarray) -> list[Scene]:
    """Facts as records: one tuple of `Digit`s for each scene, empty slots left out."""
    return [
        tuple(Digit(*digit) for digit in scene if digit[0] != EMPTY) for scene in facts_NSA.tolist()
    ]


def one_hot(facts_NSA: np.ndarray) -> np.ndarray:
    """The true attributes as features: per slot, presence and one-hot value, colour, size, place.

    Args:
        facts_NSA: int8 (N, S, A) as `sample_facts` returns them.

    Returns:
        float32 (N, S, 27); zeros in empty slots.
    """
    columns = [(facts_NSA[..., :1] != EMPTY)]
    columns += [
        facts_NSA[..., i, None] == np.arange(classes, dtype=np.int8)
        for i, classes in enumerate(CLASSES)
    ]
    return np.concatenate(columns, axis=-1).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Glyphs:
    """Real digits cut out and scaled to each size, as opacities.

    Attributes:
        opacity: uint8 (digits, sizes, 20, 20), centred.
        by_value: for each of 0 to 9, rows of `opacity`.
    """

    opacity: np.ndarray
    by_value: tuple[np.ndarray, ...]


def cut_glyphs(
    image_NHWC: np.ndarray, label_N: np.ndarray, angles: Sequence[float] = (0.0,)
) -> Glyphs:
    """Cuts digits out of their images and scales them.

    Args:
        image_NHWC: uint8 (N, 28, 28, 1), bright on black.
        label_N: their values.
        angles: degrees; each digit is turned by each of them (to augment a training set).

    Returns:
        Glyphs of N * len(angles) digits.
    """
    from PIL import Image

    turned = []
    for pixels in image_NHWC[..., 0]:
        upright = Image.fromarray(pixels)
        for angle in angles:
            digit = upright.rotate(angle, Image.Resampling.BICUBIC) if angle else upright
            box = digit.point(_INK).getbbox()
            turned.append(digit.crop(box))
    opacity = np.zeros((len(turned), len(_GLYPH_SIZES), _GLYPH, _GLYPH), np.uint8)
    for i, digit in enumerate(turned):
        for j, pixels in enumerate(_GLYPH_SIZES):
            scale = pixels / max(digit.size)
            width, height = (max(1, round(side * scale)) for side in digit.size)
            top, left = (_GLYPH - height) // 2, (_GLYPH - width) // 2
            scaled = np.asarray(digit.resize((width, height), Image.Resampling.BICUBIC), np.float32)
            # Thin strokes fade when they are scaled down; their colour must stay plain.
            scaled = np.minimum(255, scaled * 1.4)
            opacity[i, j, top : top + height, left : left + width] = scaled
    labels = np.repeat(label_N, len(angles))
    return Glyphs(opacity, tuple(np.flatnonzero(labels == value) for value in range(VALUES)))


def draw(
    rng: np.random.Generator, facts_NSA: np.ndarray, glyphs: Glyphs
) -> tuple[np.ndarray, np.ndarray]:
    """Draws scenes: which real digit, its exact place, size and tint, and the background vary.

    Args:
        rng: source of randomness.
        facts_NSA: int8 (N, S, A) as `sample_facts` returns them.
        glyphs: the digits to draw with; every value must be there.

    Returns:
        image_NHWC: uint8 (N, 64, 64, 3).
        centre_NS2: int32 (N, S, 2), row and column in pixels of each digit's centre.
    """
    size = len(facts_NSA)
    palette = np.array(list(COLOURS.values()))
    background_N3 = rng.integers(0, _DARKEST, (size, 3))
    tint_NS3 = rng.integers(-_TINT, _TINT + 1, (size, SLOTS, 3))
    glyph_NS = rng.random((size, SLOTS))
    shade_NS = rng.integers(0, len(_GLYPH_SIZES) // len(SIZES), (size, SLOTS))
    reach_NS1 = np.array(list(JITTER.values()))[facts_NSA[:, :, 2]][:, :, None]
    offset_NS2 = np.floor(rng.random((size, SLOTS, 2)) * (2 * reach_NS1 + 1)).astype(int)
    centre_NS2 = np.array(CENTRES)[facts_NSA[:, :, 3:]] + offset_NS2 - reach_NS1
    colour_NS3 = np.clip(palette[facts_NSA[:, :, 1]] + tint_NS3, 0, 255)
    # A glyph's empty border may reach over the edge of the canvas.
    border = _GLYPH // 2
    wide_NHWC = np.empty((size, CANVAS + 2 * border, CANVAS + 2 * border, 3), np.uint8)
    wide_NHWC[:] = background_N3[:, None, None, :]
    for n, s in np.argwhere(facts_NSA[:, :, 0] != EMPTY):
        candidates = glyphs.by_value[facts_NSA[n, s, 0]]
        scale = facts_NSA[n, s, 2] * len(SIZES["small"]) + shade_NS[n, s]
        opacity = glyphs.opacity[candidates[int(glyph_NS[n, s] * len(candidates))], scale]
        top, left = centre_NS2[n, s]
        patch = wide_NHWC[n, top : top + _GLYPH, left : left + _GLYPH]
        alpha = opacity[:, :, None].astype(np.int32)
        patch[:] = (patch * (255 - alpha) + colour_NS3[n, s] * alpha + 127) // 255
    image_NHWC = np.ascontiguousarray(wide_NHWC[:, border:-border, border:-border])
    return image_NHWC, centre_NS2.astype(np.int32)
