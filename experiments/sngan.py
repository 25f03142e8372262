"""SNGAN on digits: residual networks, spectral norm and the hinge loss.

Miyato et al. 2018, https://arxiv.org/abs/1802.05957; with `--conditional` its labels go to batch
norm and to a projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637).

    python -m experiments.sngan
    python -m experiments.sngan --conditional

A step updates the discriminator five times, each with 64 images of its own, and the generator once;
both learning rates fall to 0.
"""

from jaxgen.commands import cli
from jaxgen.gan import losses, noise
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.gan.recipe import BurnIn, Updates
from jaxgen.training.optimizers import Optimizer

config = GanConfig(
    workdir="runs/sngan",
    networks=SNGAN(),
    loss=losses.hinge,
    noise=noise.normal,
    noise_size=128,
    optimizer=Optimizer(learning_rate=2e-4, b1=0.0, b2=0.9),
    updates=Updates(discriminator=5),
    burn_in=BurnIn(steps=2000, learning_rate=0.0),
    average_decay=0.99,
    batch_size=320,
    steps=2000,
)

if __name__ == "__main__":
    cli.main(config, __doc__)
