"""What an encoder is shown in training: pictures moved, mirrored, brighter or darker.

N batch, H height, W width, C channels.
"""

import jax
import jax.numpy as jnp

from jaxgen.nn import batch_axis

Array = jax.Array

SIDES = ("left", "right")
"""Words that are no longer true of a mirrored picture."""


def augmented(
    pictures_NHWC: Array, key: Array, *, shift: int, mirror: bool, brightness: float
) -> Array:
    """Pictures as they might as well have been.

    Args:
        pictures_NHWC: uint8, or floats in [0, 255].
        key: a JAX random key.
        shift: most pixels to move along each axis; the edge is repeated.
        mirror: whether to mirror half of them.
        brightness: most relative change.

    Returns:
        An array like `pictures_NHWC`; floats, if the brightness changes.
    """
    n, height, width, channels = pictures_NHWC.shape
    moves, sides, factors = jax.random.split(key, 3)
    if shift:
        drawn_N2 = jax.random.randint(moves, (n, 2), 0, 2 * shift + 1, jnp.int32)
        corner_N2 = batch_axis.split(drawn_N2)
        pads = ((0, 0), (shift, shift), (shift, shift), (0, 0))

        def window(picture_HWC: Array, corner_2: Array) -> Array:
            start = (corner_2[0], corner_2[1], jnp.zeros((), corner_2.dtype))
            return jax.lax.dynamic_slice(picture_HWC, start, (height, width, channels))

        pictures_NHWC = jax.vmap(window)(jnp.pad(pictures_NHWC, pads, "edge"), corner_N2)
    if mirror:
        is_turned_N = batch_axis.split(jax.random.bernoulli(sides, shape=(n,)))
        turned_NHWC = pictures_NHWC[:, :, ::-1]
        pictures_NHWC = jnp.where(is_turned_N[:, None, None, None], turned_NHWC, pictures_NHWC)
    if brightness:
        low, high = 1 - brightness, 1 + brightness
        factor_N = batch_axis.split(jax.random.uniform(factors, (n,), jnp.float32, low, high))
        brighter_NHWC = pictures_NHWC.astype(jnp.float32) * factor_N[:, None, None, None]
        pictures_NHWC = jnp.minimum(brighter_NHWC, 255)
    return pictures_NHWC
