"""Distributions of a generator's input, ways between two inputs, what is typical and truncation.

Z numbers in an input.

Truncation draws every number of the input that is larger than a bound again until it is not. The
samples become more typical and less varied, most of all at small bounds. What is left of

- a standard normal distribution is the truncated normal one on [-bound, bound], for any bound;
- a uniform distribution in (-1, 1) is the uniform one in (-bound, bound), for bounds up to 1.

Both are made of the numbers that were drawn without truncation, by the increasing map that takes
one distribution to the other, instead of by drawing again: so a seed keeps its images, which move
smoothly as the bound does, and none changes because of others. So is a point on a way between two
inputs, or on a direction from one: it is truncated last, and lies within the bound too.

References:
    Marchesi 2017, https://arxiv.org/abs/1706.00082; Brock et al. 2019,
    https://arxiv.org/abs/1809.11096 (the truncation trick, section 3.1).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri

from jaxgen.errors import JaxgenError
from jaxgen.settings import Choice, flag

Array = jax.Array
Way = Callable[[Array, Array, Array], Array]
"""(from (Z,), to (Z,), share in [0, 1]) -> the point (Z,) at that share of the way"""

_SURE = 2.5758  # standard deviations to each side that hold 99 % of a normal distribution
_NEAR_ONE = 1 - 1e-6  # the largest uniform number whose quantile float32 still tells from that of 1


def _as_it_is(noise: Array) -> Array:
    return noise


@dataclass(frozen=True)
class Noise(Choice):
    """How the generator's input is drawn, and how to go from one input to another."""

    draw: Callable[[Array, tuple[int, ...]], Array]
    """(key, shape) -> float32 array"""
    between: Way
    """The way that is taken where none is asked for."""
    truncate: Callable[[Array, float], Array] | None = None
    """(drawn numbers, bound above 0 and at most `most`) -> the same truncated, of the same shape;
    None for a distribution that is not truncated"""
    most: float = math.inf
    """No number that is drawn is larger, either side of 0."""
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

    def truncated(self, drawn: Array, bound: float | None) -> Array:
        """Numbers that were drawn, truncated; as they are where the bound is None.

        Raises:
            JaxgenError: as `check_bound` does.
        """
        self.check_bound(bound)
        return drawn if bound is None or self.truncate is None else self.truncate(drawn, bound)

    def check_bound(self, bound: float | None) -> None:
        """Refuse a bound that truncates nothing that there is.

        Raises:
            JaxgenError: it is not above 0, or larger than any number that is drawn; or this
                distribution is not truncated.
        """
        if bound is None:
            return
        if self.truncate is None:
            raise JaxgenError(
                f"{flag('truncation')}: this model's noise does not say what truncation is, by "
                "`truncate`"
            )
        if not 0 < bound <= self.most:
            most = "" if math.isinf(self.most) else f" and at most {self.most:g}, as its noise is"
            raise JaxgenError(f"{flag('truncation')} must be above 0{most}, got {bound:g}")


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


def _truncated_normal(drawn: Array, bound: float) -> Array:
    """Of two normal numbers the larger stays larger; erf(z / sqrt 2) is uniform in (-1, 1)."""
    root = math.sqrt(2)
    share = jax.lax.erf(drawn / root) * math.erf(bound / root)
    return jnp.clip(root * jax.lax.erf_inv(share), -bound, bound)


uniform = Noise(
    lambda key, shape: jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0),
    linear,
    lambda drawn, bound: drawn * bound,
    most=1.0,
    spherical=_through_quantiles,
    typical=_in_the_box,
    spread=3**-0.5,
)
normal = Noise(
    lambda key, shape: jax.random.normal(key, shape, jnp.float32),
    slerp,
    _truncated_normal,
    spherical=slerp,
    typical=_in_the_shell,
)
