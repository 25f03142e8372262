"""Differentiable augmentation: what the discriminator sees of real and fake images alike.

N batch, H height, W width, C channels.
Reference: Zhao et al. 2020, https://arxiv.org/abs/2006.10738.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxgen.settings import Choice

Array = jax.Array


@dataclass(frozen=True)
class Augmentation(Choice):
    """A function `(images_NHWC in [-1, 1], key) -> images_NHWC`, differentiable in the images."""

    apply: Callable[[Array, Array], Array]


def translate(images_NHWC: Array, key: Array) -> Array:
    """Move each image by up to an eighth of its size along both axes; what appears is black."""
    n, height, width, _ = images_NHWC.shape
    key_h, key_w = jax.random.split(key)

    def shifts(key: Array, size: int) -> Array:
        # A one-hot matrix for each image: its product is a shift whose gradient needs no scatter.
        offset_N = jax.random.randint(key, (n,), -(size // 8), size // 8 + 1, jnp.int32)
        target, source = jnp.arange(size)[None, :, None], jnp.arange(size)[None, None, :]
        return (target - source == offset_N[:, None, None]).astype(images_NHWC.dtype)

    return (
        jnp.einsum(
            "nyh,nxw,nhwc->nyxc", shifts(key_h, height), shifts(key_w, width), images_NHWC + 1
        )
        - 1
    )


def cutout(images_NHWC: Array, key: Array) -> Array:
    """Set a square of half the size to 0, at a random place of each image or partly outside it."""
    n, height, width, _ = images_NHWC.shape
    key_h, key_w = jax.random.split(key)

    def inside(key: Array, size: int) -> Array:
        centre_N = jax.random.randint(key, (n,), 0, size + 1, jnp.int32)
        start_N1 = (centre_N - size // 4)[:, None]
        position = jnp.arange(size)[None, :]
        return (position >= start_N1) & (position < start_N1 + size // 2)

    hole_NHW = inside(key_h, height)[:, :, None] & inside(key_w, width)[:, None, :]
    return jnp.where(hole_NHW[..., None], 0.0, images_NHWC)


none = Augmentation(lambda images_NHWC, key: images_NHWC)
translation = Augmentation(translate)
translation_cutout = Augmentation(
    lambda images_NHWC, key: cutout(
        translate(images_NHWC, jax.random.fold_in(key, 0)), jax.random.fold_in(key, 1)
    )
)
