"""Adversarial losses: pairs of functions of logits, one value per example, reduced by the caller.

N batch. A loss is `discriminator(real_logits_N, fake_logits_N)` and
`generator(real_logits_N, fake_logits_N)`, both minimised; most generators ignore the real logits,
which then cost nothing in a compiled step. To add a loss, add an `AdversarialLoss` here: the
command line (`--loss NAME`) and the tests find it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxgen.configs import Choice

Array = jax.Array


@dataclass(frozen=True)
class AdversarialLoss(Choice):
    """What the discriminator and the generator minimise, per example, from raw logits.

    Both functions take real and fake logits of one shape and give values of that shape; logits of
    different shapes raise ValueError (they would broadcast silently).
    """

    discriminator_terms: Callable[[Array, Array], Array]
    generator_terms: Callable[[Array, Array], Array]

    def discriminator(self, real_logits: Array, fake_logits: Array) -> Array:
        """The discriminator's loss of each pair of a real and a fake example."""
        _check_same_shape(real_logits, fake_logits)
        return self.discriminator_terms(real_logits, fake_logits)

    def generator(self, real_logits: Array, fake_logits: Array) -> Array:
        """The generator's loss of each fake example."""
        _check_same_shape(real_logits, fake_logits)
        return self.generator_terms(real_logits, fake_logits)


def _check_same_shape(real_logits: Array, fake_logits: Array) -> None:
    if real_logits.shape != fake_logits.shape:
        raise ValueError(
            f"real logits {real_logits.shape} and fake logits {fake_logits.shape} differ in shape"
        )


def _binary_cross_entropy(real: Array, fake: Array) -> Array:
    """-log D(x) - log(1 - D(G(z))) with D = sigmoid(logit), stable for any logit."""
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


non_saturating = AdversarialLoss(
    discriminator_terms=_binary_cross_entropy,
    generator_terms=lambda real, fake: jax.nn.softplus(-fake),
)
"""Goodfellow et al. 2014, section 3: G minimises -log D(G(z))."""

least_squares = AdversarialLoss(
    discriminator_terms=lambda real, fake: 0.5 * jnp.square(real - 1) + 0.5 * jnp.square(fake),
    generator_terms=lambda real, fake: 0.5 * jnp.square(fake - 1),
)
"""Mao et al. 2017, equation 9, with a = 0 and b = c = 1, on raw scores."""
