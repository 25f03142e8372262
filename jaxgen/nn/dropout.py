"""Dropout whose masks cost next to nothing.

`jax.random.bernoulli` runs 20 rounds of Threefry for each number, which dominates dropout on a
CPU. A mask needs far less than a generator for simulations: here two words of the key seed an
integer hash of each element's index, which also fuses with the multiplication and gives the same
mask however the array is sharded.
"""

import math

import jax
import jax.numpy as jnp

Array = jax.Array


def keep_mask(key: Array, shape: tuple[int, ...], rate: float) -> Array:
    """Draw which elements dropout keeps.

    Args:
        key: a JAX random key.
        shape: of the mask.
        rate: the probability of dropping an element, in [0, 1).

    Returns:
        A boolean array, true with probability 1 - rate.

    Reference:
        The hash is Wellons' "lowbias32" (https://nullprogram.com/blog/2018/07/31/), with the
        second word of the key mixed in half way, so that no key's masks are a shifted copy of
        another's.
    """
    offset, mixed_in = jax.random.bits(key, (2,), jnp.uint32)
    x = jax.lax.iota(jnp.uint32, math.prod(shape)) * jnp.uint32(0x9E3779B9) + offset
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15) ^ mixed_in) * jnp.uint32(0x846CA68B)
    x = x ^ (x >> 16)
    return x.reshape(shape) >= jnp.uint32(round(rate * 2**32))


def dropout(x: Array, rate: float, key: Array | None) -> Array:
    """Zero elements with probability `rate` and scale the others by 1 / (1 - rate).

    Args:
        x: an array of floats.
        rate: the probability of dropping an element, in [0, 1).
        key: a JAX random key, or None for no dropout at all.

    Returns:
        An array like `x`, equal to it on average.

    Reference:
        Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html.
    """
    if key is None or rate == 0:
        return x
    return jnp.where(keep_mask(key, x.shape, rate), x * (1 / (1 - rate)), 0)
