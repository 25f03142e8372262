"""Adversarial losses: what discriminator and generator minimise, and penalties on gradients.

N batch. An adversarial loss is a pair of functions of logits,
`discriminator(real_logits_N, fake_logits_N)` and `generator(real_logits_N, fake_logits_N)`, both
minimised, one value per example; most generators ignore the real logits, which then cost nothing in
a compiled step. It may bring a penalty on the discriminator's gradient with respect to images. To
add a loss, add an `AdversarialLoss` here or in a file of your own: the command line (`--loss NAME`)
finds it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxgen.settings import Choice

Array = jax.Array
Critic = Callable[[Array], Array]
"""Images (N, ...) to logits (N,), no example seeing another; of fakes by `of_fakes`."""


@dataclass(frozen=True)
class AdversarialLoss(Choice):
    """What the discriminator and the generator minimise, per example, from raw logits.

    Both functions take real and fake logits of one shape and return values of that shape; logits of
    different shapes raise ValueError (they would broadcast silently).
    """

    discriminator_terms: Callable[[Array, Array], Array]
    generator_terms: Callable[[Array, Array], Array]
    penalty: Callable[[Critic, Array, Array, Array], Array] | None = None
    """(critic, real images, fake images, key) -> values (N,), added to the discriminator's loss."""

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
"""Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, section 3: G minimises -log D(G(z))."""

least_squares = AdversarialLoss(
    discriminator_terms=lambda real, fake: 0.5 * jnp.square(real - 1) + 0.5 * jnp.square(fake),
    generator_terms=lambda real, fake: 0.5 * jnp.square(fake - 1),
)
"""Mao et al. 2017, https://arxiv.org/abs/1611.04076, equation 9, with a = 0 and b = c = 1, on raw
scores."""

saturating = AdversarialLoss(
    discriminator_terms=_binary_cross_entropy,
    generator_terms=lambda real, fake: -jax.nn.softplus(fake),
)
"""Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, equation 1: G minimises
log(1 - D(G(z))), which is the minimax game itself."""

hinge = AdversarialLoss(
    discriminator_terms=lambda real, fake: jax.nn.relu(1 - real) + jax.nn.relu(1 + fake),
    generator_terms=lambda real, fake: -fake,
)
"""Lim and Ye 2017, https://arxiv.org/abs/1705.02894; Miyato et al. 2018,
https://arxiv.org/abs/1802.05957, equations 16 and 17."""


def of_fakes(critic: Critic) -> Critic:
    """The same critic for fakes.

    It differs where the critic augments the images that it is given: real ones and fakes are
    augmented by draws of their own, and a penalty is taken of what gave the logits.
    """
    found: Critic = getattr(critic, "of_fakes", critic)
    return found


def _image_gradients(critic: Critic, images: Array) -> Array:
    """The gradient of each image's logit with respect to the image, flattened: (N, pixels)."""
    gradients = jax.grad(lambda x: critic(x).sum())(images)
    return gradients.reshape(images.shape[0], -1)


def gradient_penalty(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
    """(|gradient| - 1)² at a random point between each real image and its fake: (N,).

    One epsilon for each example, one norm over all of its pixels.

    Reference:
        Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028, equation 3, without the weight.
    """
    epsilon = jax.random.uniform(key, (real.shape[0],) + (1,) * (real.ndim - 1), real.dtype)
    between = epsilon * real + (1 - epsilon) * fake
    squares = jnp.square(_image_gradients(critic, between)).sum(axis=1)
    # The root's slope at 0 is infinite, and infinity times 0 is NaN: stay a little above 0.
    return jnp.square(jnp.sqrt(squares + 1e-12) - 1)


def zero_centred_penalty(critic: Critic, images: Array) -> Array:
    """½ |gradient|² at each image: (N,).

    Reference:
        Mescheder et al. 2018, https://arxiv.org/abs/1801.04406, equations 9 (R1) and 10 (R2).
    """
    return 0.5 * jnp.square(_image_gradients(critic, images)).sum(axis=1)


wasserstein_gp = AdversarialLoss(
    discriminator_terms=lambda real, fake: fake - real,
    generator_terms=lambda real, fake: -fake,
    penalty=lambda critic, real, fake, key: 10 * gradient_penalty(critic, real, fake, key),
)
"""WGAN-GP: Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028, equation 3, with their weight
of 10."""

non_saturating_r1 = AdversarialLoss(
    discriminator_terms=_binary_cross_entropy,
    generator_terms=non_saturating.generator_terms,
    penalty=lambda critic, real, fake, key: zero_centred_penalty(critic, real),
)
"""The non-saturating loss with R1, weight 1 (`--penalty-weight`): Mescheder et al. 2018,
https://arxiv.org/abs/1801.04406."""

non_saturating_r1r2 = AdversarialLoss(
    discriminator_terms=_binary_cross_entropy,
    generator_terms=non_saturating.generator_terms,
    penalty=lambda critic, real, fake, key: (
        zero_centred_penalty(critic, real) + zero_centred_penalty(of_fakes(critic), fake)
    ),
)
"""The non-saturating loss with R1 and R2, weight 1: Mescheder et al. 2018,
https://arxiv.org/abs/1801.04406, equations 9 and 10."""

relativistic_r1r2 = AdversarialLoss(
    discriminator_terms=lambda real, fake: jax.nn.softplus(fake - real),
    generator_terms=lambda real, fake: jax.nn.softplus(real - fake),
    penalty=lambda critic, real, fake, key: (
        zero_centred_penalty(critic, real) + zero_centred_penalty(of_fakes(critic), fake)
    ),
)
"""R3GAN, Huang et al. 2024, https://arxiv.org/abs/2501.05441, equations 2 and 4: paired
relativistic logits, R1 and R2, weight 1."""
