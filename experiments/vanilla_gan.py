"""Vanilla GAN on digits: fully connected networks, non-saturating loss.

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.

    python -m experiments.vanilla_gan
"""

from jaxgen import cli, losses
from jaxgen.gan import GanConfig
from jaxgen.models.mlp import MLP

config = GanConfig(
    workdir="runs/vanilla_gan",
    networks=MLP(),
    loss=losses.non_saturating,
    steps=3900,  # 100 epochs of the 5,000 embedded digits
)

if __name__ == "__main__":
    cli.main(config, __doc__)
