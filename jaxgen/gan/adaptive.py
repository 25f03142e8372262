"""The pipeline of adaptive discriminator augmentation, for small images.

Each transformation is applied to an image with one probability and independently of the others, in
the reference's order and with its strengths. All that moves pixels is one affine map, which is
sampled bilinearly, where the reference filters; the image goes on mirrored at its edges. Filters in
bands and noise, which it does not recommend, are left out.

N batch, H height, W width, C channels, P pixels.
Reference: Karras et al. 2020, https://arxiv.org/abs/2006.06676, appendix B.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxgen.nn import batch_axis

Array = jax.Array


class Draws:
    """Random numbers of each of N images, drawn at once: many small draws take long to compile."""

    def __init__(self, key: Array, n: int) -> None:
        keys = jax.random.split(key)
        # As many as all transformations together take.
        evenly = batch_axis.split(jax.random.uniform(keys[0], (n, 24), jnp.float32))
        normal = batch_axis.split(jax.random.normal(keys[1], (n, 8), jnp.float32))
        self._evenly, self._normal = iter(evenly.T), iter(normal.T)

    def uniform(self, least: float, most: float) -> Array:
        """The next numbers (N,), in [least, most)."""
        return least + (most - least) * next(self._evenly)

    def normal(self, deviation: float) -> Array:
        """The next numbers (N,) around 0."""
        return deviation * next(self._normal)

    def chosen(self, probability: Array, drawn: Array, otherwise: float) -> Array:
        """Numbers (N,), each with the probability, or else those that change nothing."""
        return jnp.where(next(self._evenly) < probability, drawn, otherwise)


Move = Callable[[Draws, Array], Array]
"""(draws, probability) -> maps (N, 3, 3) of a pixel's place (x, y, 1), in units of half a side from
the middle, to the place that its value comes from."""


def _map(xx: Array, xy: Array, yx: Array, yy: Array, x: Array, y: Array) -> Array:
    nothing, one = jnp.zeros_like(xx), jnp.ones_like(xx)
    rows = (xx, xy, x), (yx, yy, y), (nothing, nothing, one)
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def _scaling(x: Array, y: Array) -> Array:
    nothing = jnp.zeros_like(x)
    return _map(x, nothing, nothing, y, nothing, nothing)


def _turning(angle: Array) -> Array:
    cos, sin, nothing = jnp.cos(angle), jnp.sin(angle), jnp.zeros_like(angle)
    return _map(cos, -sin, sin, cos, nothing, nothing)


def _moving(x: Array, y: Array) -> Array:
    nothing, one = jnp.zeros_like(x), jnp.ones_like(x)
    return _map(one, nothing, nothing, one, x, y)


def mirror(draws: Draws, probability: Array) -> Array:
    """Left becomes right, in half of those that it is applied to."""
    side = draws.chosen(probability, jnp.where(draws.uniform(0, 1) < 0.5, -1.0, 1.0), 1.0)
    return _scaling(side, jnp.ones_like(side))


def turn(draws: Draws, probability: Array) -> Array:
    """None to three quarters of a turn."""
    quarters = jnp.floor(draws.uniform(0, 4))
    return _turning(draws.chosen(probability, quarters, 0.0) * (math.pi / 2))


def shift(draws: Draws, probability: Array) -> Array:
    """By up to an eighth of the size along both axes."""
    x, y = draws.uniform(-0.25, 0.25), draws.uniform(-0.25, 0.25)
    return _moving(draws.chosen(probability, x, 0.0), draws.chosen(probability, y, 0.0))


def _geometry(draws: Draws, probability: Array, most: float) -> Array:
    scale = draws.chosen(probability, 2 ** draws.normal(0.2), 1.0)
    stretch = draws.chosen(probability, 2 ** draws.normal(0.2), 1.0)
    # Two turns, so that one of the two is there with the probability.
    of_one = 1 - jnp.sqrt(1 - probability)

    def turned() -> Array:
        return _turning(draws.chosen(of_one, draws.uniform(-most, most), 0.0))

    x, y = (draws.chosen(probability, draws.normal(0.25), 0.0) for _ in range(2))
    stretched = _scaling(stretch, 1 / stretch)
    return _composed([_scaling(scale, scale), turned(), stretched, turned(), _moving(x, y)])


def geometry(draws: Draws, probability: Array) -> Array:
    """Scaling, turning by any angle, stretching, turning again, and moving."""
    return _geometry(draws, probability, math.pi)


def upright(draws: Draws, probability: Array) -> Array:
    """The same, turning by at most 15 degrees each time."""
    return _geometry(draws, probability, math.pi / 12)


def _composed(maps: Sequence[Array]) -> Array:
    result = maps[0]
    for other in maps[1:]:
        # Nine products of numbers: matrices of three rows are nothing to multiply by machine.
        result = (result[..., :, :, None] * other[..., None, :, :]).sum(axis=-2)
    return result


def apply(
    moves: Sequence[Move], has_colours: bool, images_NHWC: Array, key: Array, probability: Array
) -> Array:
    """Images (N, H, W, C) after the moves and, where asked for, changes of colour."""
    draws = Draws(key, len(images_NHWC))
    images_NHWC = resampled(images_NHWC, _composed([move(draws, probability) for move in moves]))
    return recoloured(images_NHWC, draws, probability) if has_colours else images_NHWC


def resampled(images_NHWC: Array, map_N33: Array) -> Array:
    """The images at the places that their maps give, between pixels bilinearly."""
    n, height, width, channels = images_NHWC.shape
    flat_NPC = images_NHWC.reshape(n, height * width, channels)
    places = [(2 * jnp.arange(size) + 1) / size - 1 for size in (width, height)]
    x_1HW, y_1HW = (grid[None] for grid in jnp.meshgrid(*places))

    def along(row: int, size: int) -> tuple[Array, Array, Array]:
        """Two neighbouring indices (N, H, W), and the weight of the second."""
        x, y, one = (map_N33[:, row, column, None, None] for column in range(3))
        place = ((x * x_1HW + y * y_1HW + one + 1) * size - 1) / 2
        first = jnp.floor(place)
        index = first.astype(jnp.int32)
        return _mirrored(index, size), _mirrored(index + 1, size), place - first

    left, right, part_x = along(0, width)
    upper, lower, part_y = along(1, height)

    def at(row: Array, column: Array, weight: Array) -> Array:
        index_NP1 = (row * width + column).reshape(n, -1, 1)
        found_NPC = jnp.take_along_axis(flat_NPC, index_NP1, axis=1, mode="clip")
        return found_NPC * weight.reshape(n, -1, 1)

    return (
        at(upper, left, (1 - part_y) * (1 - part_x))
        + at(upper, right, (1 - part_y) * part_x)
        + at(lower, left, part_y * (1 - part_x))
        + at(lower, right, part_y * part_x)
    ).reshape(images_NHWC.shape)


def _mirrored(index: Array, size: int) -> Array:
    """Indices of any size inside of [0, size), as if the image went on mirrored."""
    inside = index % (2 * size)
    return jnp.minimum(inside, 2 * size - 1 - inside)


def recoloured(images_NHWC: Array, draws: Draws, probability: Array) -> Array:
    """Brightness, contrast, inverted brightness and, of colour images, hue and saturation."""
    channels = images_NHWC.shape[-1]

    def drawn(numbers: Array, otherwise: float) -> Array:
        return draws.chosen(probability, numbers, otherwise)[:, None, None, None]

    x = images_NHWC + drawn(draws.normal(0.2), 0.0)
    x = x * drawn(2 ** draws.normal(0.5), 1.0)
    grey = x.mean(axis=3, keepdims=True)
    colour = x - grey
    grey = grey * drawn(jnp.where(draws.uniform(0, 1) < 0.5, -1.0, 1.0), 1.0)
    if channels == 3:
        angle = drawn(draws.uniform(-math.pi, math.pi), 0.0)
        # The product of the grey axis, of length 1, with the colour.
        across = (jnp.roll(colour, 1, axis=3) - jnp.roll(colour, -1, axis=3)) / math.sqrt(3)
        colour = jnp.cos(angle) * colour + jnp.sin(angle) * across
    if channels > 1:
        colour = colour * drawn(2 ** draws.normal(1.0), 1.0)
    return grey + colour
