"""Distributions of a generator's input, and what truncating it means for each.

Truncation draws every number of the input that is larger than a bound again until it is not. The
samples become more typical and less varied, most of all at small bounds. What is left of

- a standard normal distribution is the truncated normal one on [-bound, bound], for any bound;
- a uniform distribution in (-1, 1) is the uniform one in (-bound, bound), for bounds up to 1.

Both are made of the numbers that were drawn without truncation, by the increasing map that takes
one distribution to the other, instead of by drawing again: so a seed keeps its images, which move
smoothly as the bound does, and none changes because of others.

References:
    Marchesi 2017, https://arxiv.org/abs/1706.00082; Brock et al. 2019,
    https://arxiv.org/abs/1809.11096 (the truncation trick, section 3.1).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxgen.errors import JaxgenError
from jaxgen.settings import Choice, flag

Array = jax.Array


@dataclass(frozen=True)
class Noise(Choice):
    """How the generator's input is drawn, and how to go from one input to another."""

    draw: Callable[[Array, tuple[int, ...]], Array]
    """(key, shape) -> float32 array"""
    between: Callable[[Array, Array, Array], Array]
    """(from, to, share in [0, 1]) -> the point at that share of the way"""
    truncate: Callable[[Array, float], Array] | None = None
    """(drawn numbers, bound above 0 and at most `most`) -> the same truncated, of the same shape;
    None for a distribution that is not truncated"""
    most: float = math.inf
    """No number that is drawn is larger, either side of 0."""

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


def _along_the_sphere(start: Array, end: Array, share: Array) -> Array:
    """A point as likely under a normal distribution as its ends are.

    Reference:
        White 2016, https://arxiv.org/abs/1609.04468 (spherical interpolation).
    """
    cosine = jnp.vdot(start, end) / (jnp.linalg.norm(start) * jnp.linalg.norm(end))
    angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    weights = jnp.sin((1 - share) * angle), jnp.sin(share * angle)
    return (weights[0] * start + weights[1] * end) / jnp.sin(angle)


def _truncated_normal(drawn: Array, bound: float) -> Array:
    """Of two normal numbers the larger stays larger; erf(z / sqrt 2) is uniform in (-1, 1)."""
    root = math.sqrt(2)
    share = jax.lax.erf(drawn / root) * math.erf(bound / root)
    return jnp.clip(root * jax.lax.erf_inv(share), -bound, bound)


uniform = Noise(
    lambda key, shape: jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0),
    lambda start, end, share: (1 - share) * start + share * end,
    lambda drawn, bound: drawn * bound,
    most=1.0,
)
normal = Noise(
    lambda key, shape: jax.random.normal(key, shape, jnp.float32),
    _along_the_sphere,
    _truncated_normal,
)
