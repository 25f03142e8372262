"""Differentiable augmentation: what the discriminator sees of real and fake images alike.

N batch, H height, W width, C channels.
Reference: Zhao et al. 2020, https://arxiv.org/abs/2006.10738, whose code has the definitions of
`diff_...`. `translation` and `translation_cutout` are earlier ones of jaxgen, for dark images: what
is moved in is black, and at 28 pixels they move by up to 3 where the reference moves by 4. The
adaptive pipelines are in `jaxgen.gan.adaptive`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from jaxgen.gan import adaptive
from jaxgen.settings import Choice

Array = jax.Array
Transform = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Augmentation(Choice):
    """A function `(images_NHWC in [-1, 1], key) -> images_NHWC`, differentiable in the images."""

    apply: Transform
    with_probability: Callable[[Array, Array, Array], Array] | None = None
    """(images, key, probability) -> images, where each transformation is applied to an image, or
    not, by itself; None to apply all of them or none."""

    def in_part(self, images_NHWC: Array, key: Array, probability: Array) -> Array:
        """Augments each image with a probability in [0, 1]."""
        if self.with_probability is not None:
            return self.with_probability(images_NHWC, key, probability)
        chance_N = jax.random.uniform(jax.random.fold_in(key, 2**31), images_NHWC.shape[:1])
        is_seen_N111 = (chance_N < probability)[:, None, None, None]
        return jnp.where(is_seen_N111, self.apply(images_NHWC, key), images_NHWC)


def _shifts(images_NHWC: Array, key: Array, most: Callable[[int], int]) -> tuple[Array, Array]:
    """Matrices that move the rows and the columns of each image by up to `most(side)`."""
    n, height, width, _ = images_NHWC.shape
    key_h, key_w = jax.random.split(key)

    def shifts(key: Array, size: int) -> Array:
        # A one-hot matrix for each image: its product is a shift whose gradient needs no scatter.
        offset_N = jax.random.randint(key, (n,), -most(size), most(size) + 1, jnp.int32)
        target, source = jnp.arange(size)[None, :, None], jnp.arange(size)[None, None, :]
        return (target - source == offset_N[:, None, None]).astype(images_NHWC.dtype)

    return shifts(key_h, height), shifts(key_w, width)


def translate(images_NHWC: Array, key: Array) -> Array:
    """Move each image by up to an eighth of its size along both axes; what appears is black."""
    shifts = _shifts(images_NHWC, key, lambda size: size // 8)
    return jnp.einsum("nyh,nxw,nhwc->nyxc", *shifts, images_NHWC + 1) - 1


def diff_translate(images_NHWC: Array, key: Array) -> Array:
    """The reference's: an eighth of the size is rounded, and what appears is 0."""
    shifts = _shifts(images_NHWC, key, lambda size: int(size / 8 + 0.5))
    return jnp.einsum("nyh,nxw,nhwc->nyxc", *shifts, images_NHWC)


def _with_hole(
    images_NHWC: Array, key: Array, numbers: Callable[[int], tuple[int, int, int]]
) -> Array:
    """Set a rectangle to 0 around a random place of each image.

    `numbers` of a side: of how many pixels it is, how many are before the place, and how many
    places there are.
    """
    n, height, width, _ = images_NHWC.shape
    key_h, key_w = jax.random.split(key)

    def inside(key: Array, size: int) -> Array:
        hole, before, places = numbers(size)
        start_N1 = (jax.random.randint(key, (n,), 0, places, jnp.int32) - before)[:, None]
        position = jnp.arange(size)[None, :]
        return (position >= start_N1) & (position < start_N1 + hole)

    hole_NHW = inside(key_h, height)[:, :, None] & inside(key_w, width)[:, None, :]
    return jnp.where(hole_NHW[..., None], 0.0, images_NHWC)


def cutout(images_NHWC: Array, key: Array) -> Array:
    """Set a square of half the size to 0, at a random place of each image or partly outside it."""
    return _with_hole(images_NHWC, key, lambda size: (size // 2, size // 4, size + 1))


def diff_cutout(images_NHWC: Array, key: Array) -> Array:
    """The reference's, which is the same where four divides the sides."""

    def numbers(size: int) -> tuple[int, int, int]:
        hole = int(size / 2 + 0.5)
        return hole, hole // 2, size + 1 - hole % 2

    return _with_hole(images_NHWC, key, numbers)


def colour(images_NHWC: Array, key: Array) -> Array:
    """The reference's brightness, saturation and contrast, one after the other.

    Up to half of 1 is added; the distance from an image's grey is multiplied by 0 to 2, and that
    from its mean by 0.5 to 1.5.
    """
    brightness, saturation, contrast = jax.random.uniform(
        key, (3, len(images_NHWC), 1, 1, 1), images_NHWC.dtype
    )
    x = images_NHWC + (brightness - 0.5)
    grey = x.mean(axis=3, keepdims=True)
    x = (x - grey) * (2 * saturation) + grey
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    return (x - mean) * (contrast + 0.5) + mean


def _in_turn(*transforms: Transform) -> Transform:
    def apply(images_NHWC: Array, key: Array) -> Array:
        for index, transform in enumerate(transforms):
            images_NHWC = transform(images_NHWC, jax.random.fold_in(key, index))
        return images_NHWC

    return apply


none = Augmentation(lambda images_NHWC, key: images_NHWC)
translation = Augmentation(translate)
translation_cutout = Augmentation(_in_turn(translate, cutout))
diff_translation = Augmentation(diff_translate)
diff_translation_cutout = Augmentation(_in_turn(diff_translate, diff_cutout))
diff_colour_cutout = Augmentation(_in_turn(colour, diff_cutout))
diff_colour_translation = Augmentation(_in_turn(colour, diff_translate))
diff_augment = Augmentation(_in_turn(colour, diff_translate, diff_cutout))
"""All three, the reference's policy "color,translation,cutout"."""


def _adaptive(*moves: adaptive.Move, colours: bool = False) -> Augmentation:
    apply = partial(adaptive.apply, moves, colours)
    return Augmentation(lambda images_NHWC, key: apply(images_NHWC, key, jnp.float32(1)), apply)


ada_upright = _adaptive(adaptive.shift, adaptive.upright)
"""For digits and letters, which are others when they are mirrored or turned."""
ada_moves = _adaptive(adaptive.mirror, adaptive.turn, adaptive.shift, adaptive.geometry)
"""Karras et al. 2020's "bg", pixel blitting and geometry."""
ada_full = _adaptive(
    adaptive.mirror, adaptive.turn, adaptive.shift, adaptive.geometry, colours=True
)
"""Their "bgc", with colour: what they recommend for photographs."""
