"""A loss of your own: the non-saturating GAN with one-sided label smoothing.

    python examples/own_loss.py
    jaxgen sample runs/own_loss --import examples/own_loss.py

A loss is a variable of a file. It is a flag as well, `--loss own_loss:smoothed`, in every GAN
experiment that gets `--import examples/own_loss.py`.
"""

from dataclasses import replace

import jax

from experiments import vanilla_gan
from jaxgen.commands import cli
from jaxgen.gan.losses import AdversarialLoss, non_saturating

Array = jax.Array

SMOOTHING = 0.9  # what real images count as, instead of 1


def _discriminator(real: Array, fake: Array) -> Array:
    """Cross-entropy against 0.9 for real images, 0 for fake ones (Salimans et al. 2016, 3.4)."""
    softplus = jax.nn.softplus
    return SMOOTHING * softplus(-real) + (1 - SMOOTHING) * softplus(real) + softplus(fake)


smoothed = AdversarialLoss(_discriminator, non_saturating.generator_terms)

config = replace(vanilla_gan.config, workdir="runs/own_loss", loss=smoothed)

if __name__ == "__main__":
    cli.main(config, __doc__)
