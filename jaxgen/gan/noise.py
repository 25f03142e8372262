"""Distributions of a generator's input."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxgen.settings import Choice

Array = jax.Array


@dataclass(frozen=True)
class Noise(Choice):
    """How the generator's input is drawn, and how to go from one input to another."""

    draw: Callable[[Array, tuple[int, ...]], Array]
    """(key, shape) -> float32 array"""
    between: Callable[[Array, Array, Array], Array]
    """(from, to, share in [0, 1]) -> the point at that share of the way"""


def _along_the_sphere(start: Array, end: Array, share: Array) -> Array:
    """A point as likely under a normal distribution as its ends are.

    Reference:
        White 2016, https://arxiv.org/abs/1609.04468 (spherical interpolation).
    """
    cosine = jnp.vdot(start, end) / (jnp.linalg.norm(start) * jnp.linalg.norm(end))
    angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    weights = jnp.sin((1 - share) * angle), jnp.sin(share * angle)
    return (weights[0] * start + weights[1] * end) / jnp.sin(angle)


uniform = Noise(
    lambda key, shape: jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0),
    lambda start, end, share: (1 - share) * start + share * end,
)
normal = Noise(lambda key, shape: jax.random.normal(key, shape, jnp.float32), _along_the_sphere)
