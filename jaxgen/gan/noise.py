"""Distributions of a generator's input, ways between two inputs, and what is typical of them.

Z numbers in an input.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri

from jaxgen.errors import JaxgenError
from jaxgen.settings import Choice

Array = jax.Array
Way = Callable[[Array, Array, Array], Array]
"""(from (Z,), to (Z,), share in [0, 1]) -> the point (Z,) at that share of the way"""

_SURE = 2.5758  # standard deviations to each side that hold 99 % of a normal distribution
_NEAR_ONE = (
    1 - 1e-6
)  # the largest uniform number that float32 still tells from 1 after its quantile


def _as_it_is(noise: Array) -> Array:
    return noise


@dataclass(frozen=True)
class Noise(Choice):
    """How the generator's input is drawn, and how to go from one input to another."""

    draw: Callable[[Array, tuple[int, ...]], Array]
    """(key, shape) -> float32 array"""
    between: Way
    """The way that is taken where none is asked for."""
    spherical: Way | None = None
    """A way whose points are all as typical of the distribution as its ends; None where nobody
    knows one."""
    typical: Callable[[Array], Array] = _as_it_is
    """(..., Z) -> the nearest points that the distribution might have drawn: its support, or where
    nearly all of what it draws lies"""
    spread: float = 1.0
    """Standard deviation of each number."""

    def way(self, walk: str | None) -> Way:
        """The way of a walk: "linear", "spherical", or None for the distribution's own.

        Raises:
            JaxgenError: there is no such walk of this noise.
        """
        if walk is None:
            return self.between
        if walk == "linear":
            return linear
        if walk == "spherical" and self.spherical is not None:
            return self.spherical
        why = "this noise has no spherical one" if walk == "spherical" else "there is none"
        raise JaxgenError(f"a walk is linear or spherical, not {walk!r}: {why}")


def linear(start: Array, end: Array, share: Array) -> Array:
    """The straight line. In many dimensions its middle is shorter than what noise ever draws."""
    return (1 - share) * start + share * end


def slerp(start: Array, end: Array, share: Array) -> Array:
    """The great circle from one direction to another, as the length goes from one to the other.

    Its points are as likely under a normal distribution as its ends are. From a point to the one
    opposite, where every circle leads there, it takes one of them; from or to 0 the straight line.

    Args:
        start: (Z,)
        end: (Z,)
        share: in [0, 1].

    Reference:
        White 2016, https://arxiv.org/abs/1609.04468 (spherical interpolation).
    """
    lengths = jnp.linalg.norm(start), jnp.linalg.norm(end)
    first, last = (x / jnp.maximum(n, 1e-30) for x, n in zip((start, end), lengths, strict=True))
    # The angle by its tangent: its cosine alone tells neither small angles nor nearly opposite
    # directions from 0 and pi.
    cosine = jnp.vdot(first, last)
    across = last - cosine * first
    sine = jnp.linalg.norm(across)
    # Any direction across will do where both point the same way, or opposite ways.
    axis = jax.nn.one_hot(jnp.argmin(jnp.abs(first)), first.size, dtype=first.dtype)
    other = axis - jnp.vdot(axis, first) * first
    across = jnp.where(sine > 1e-5, across, other)
    across = across / jnp.maximum(jnp.linalg.norm(across), 1e-30)
    turned = share * jnp.arctan2(sine, cosine)
    point = jnp.cos(turned) * first + jnp.sin(turned) * across
    point = ((1 - share) * lengths[0] + share * lengths[1]) * point
    return jnp.where(jnp.minimum(*lengths) > 0, point, linear(start, end, share))


def _through_quantiles(start: Array, end: Array, share: Array) -> Array:
    """A great circle for uniform noise: each number as the normal one of the same rank, and back.

    What is spherical in the uniform numbers themselves leaves their box. On this way every point
    lies inside it, and half of the way between two random inputs is one too.
    """
    first, last = (ndtri((jnp.clip(x, -_NEAR_ONE, _NEAR_ONE) + 1) / 2) for x in (start, end))
    point = 2 * ndtr(slerp(first, last, share)) - 1
    return jnp.where(share <= 0, start, jnp.where(share >= 1, end, point))


def _in_the_box(noise: Array) -> Array:
    return jnp.clip(noise, -1.0, 1.0)


def _in_the_shell(noise: Array) -> Array:
    """With the length that 99 % of normal noise has, around sqrt(Z); directions stay.

    Reference:
        Wilson and Hilferty 1931, https://doi.org/10.1073/pnas.17.12.684 (quantiles of the squared
        length).
    """
    size = noise.shape[-1]
    deviation = math.sqrt(2 / (9 * size))
    least, most = (
        math.sqrt(size * max(0.0, 1 - 2 / (9 * size) + sign * _SURE * deviation) ** 3)
        for sign in (-1, 1)
    )
    length = jnp.linalg.norm(noise, axis=-1, keepdims=True)
    return noise * (jnp.clip(length, least, most) / jnp.maximum(length, 1e-30))


uniform = Noise(
    lambda key, shape: jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0),
    linear,
    spherical=_through_quantiles,
    typical=_in_the_box,
    spread=3**-0.5,
)
normal = Noise(
    lambda key, shape: jax.random.normal(key, shape, jnp.float32),
    slerp,
    spherical=slerp,
    typical=_in_the_shell,
)
