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

Array = jax.Array
Move = Callable[[Array, Array, int], Array]
"""(key, probability, n) -> maps (N, 3, 3) of a pixel's place (x, y, 1), in units of half a side
from the middle, to the place that its value comes from."""


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


def _chosen(key: Array, probability: Array, drawn: Array, otherwise: float) -> Array:
    """Numbers (N,), each with the probability, or else those that change nothing."""
    is_chosen = jax.random.uniform(jax.random.fold_in(key, 1), drawn.shape) < probability
    return jnp.where(is_chosen, drawn, otherwise)


def mirror(key: Array, probability: Array, n: int) -> Array:
    """Left becomes right, in half of those that it is applied to."""
    side = jnp.where(jax.random.bernoulli(key, 0.5, (n,)), -1.0, 1.0)
    side = _chosen(key, probability, side, 1.0)
    return _scaling(side, jnp.ones_like(side))


def turn(key: Array, probability: Array, n: int) -> Array:
    """None to three quarters of a turn."""
    quarters = jax.random.randint(key, (n,), 0, 4, jnp.int32).astype(jnp.float32)
    return _turning(_chosen(key, probability, quarters, 0.0) * (math.pi / 2))


def shift(key: Array, probability: Array, n: int) -> Array:
    """By up to an eighth of the size along both axes."""
    x, y = jax.random.uniform(key, (2, n), jnp.float32, -0.25, 0.25)
    return _moving(_chosen(key, probability, x, 0.0), _chosen(key, probability, y, 0.0))


def _geometry(key: Array, probability: Array, n: int, most: float) -> Array:
    keys = jax.random.split(key, 5)
    scale = 2 ** (0.2 * jax.random.normal(keys[0], (n,), jnp.float32))
    scale = _chosen(keys[0], probability, scale, 1.0)
    stretch = 2 ** (0.2 * jax.random.normal(keys[1], (n,), jnp.float32))
    stretch = _chosen(keys[1], probability, stretch, 1.0)
    # Two turns, so that one of the two is there with the probability.
    of_one = 1 - jnp.sqrt(1 - probability)

    def turned(key: Array) -> Array:
        angle = jax.random.uniform(key, (n,), jnp.float32, -most, most)
        return _turning(_chosen(key, of_one, angle, 0.0))

    x, y = 0.25 * jax.random.normal(keys[4], (2, n), jnp.float32)
    moved = _moving(_chosen(keys[4], probability, x, 0.0), _chosen(keys[4], probability, y, 0.0))
    shape = _scaling(scale, scale), turned(keys[2]), _scaling(stretch, 1 / stretch), turned(keys[3])
    return _composed([*shape, moved])


def geometry(key: Array, probability: Array, n: int) -> Array:
    """Scaling, turning by any angle, stretching, turning again, and moving."""
    return _geometry(key, probability, n, math.pi)


def upright(key: Array, probability: Array, n: int) -> Array:
    """The same, turning by at most 15 degrees each time."""
    return _geometry(key, probability, n, math.pi / 12)


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
    n = len(images_NHWC)
    keys = jax.random.split(key, len(moves) + 1)
    maps = [move(own, probability, n) for move, own in zip(moves, keys, strict=False)]
    images_NHWC = resampled(images_NHWC, _composed(maps))
    return recoloured(images_NHWC, keys[-1], probability) if has_colours else images_NHWC


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


def recoloured(images_NHWC: Array, key: Array, probability: Array) -> Array:
    """Brightness, contrast, inverted brightness and, of colour images, hue and saturation."""
    n, channels = len(images_NHWC), images_NHWC.shape[-1]
    keys = jax.random.split(key, 5)

    def drawn(index: int, otherwise: float, make: Callable[[Array], Array]) -> Array:
        numbers = _chosen(keys[index], probability, make(keys[index]), otherwise)
        return numbers[:, None, None, None]

    def normal(key: Array) -> Array:
        return jax.random.normal(key, (n,), jnp.float32)

    x = images_NHWC + drawn(0, 0.0, lambda key: 0.2 * normal(key))
    x = x * drawn(1, 1.0, lambda key: 2 ** (0.5 * normal(key)))
    grey = x.mean(axis=3, keepdims=True)
    inverted = drawn(2, 0.0, lambda key: jax.random.bernoulli(key, 0.5, (n,)).astype(jnp.float32))
    colour = x - grey
    grey = grey * (1 - 2 * inverted)
    if channels == 3:
        angle = drawn(
            3, 0.0, lambda key: jax.random.uniform(key, (n,), jnp.float32, -math.pi, math.pi)
        )
        # The product of the grey axis, of length 1, with the colour.
        across = (jnp.roll(colour, 1, axis=3) - jnp.roll(colour, -1, axis=3)) / math.sqrt(3)
        colour = jnp.cos(angle) * colour + jnp.sin(angle) * across
    if channels > 1:
        colour = colour * drawn(4, 1.0, lambda key: 2 ** normal(key))
    return grey + colour
