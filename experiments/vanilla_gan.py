"""Vanilla GAN on digits: fully connected networks, non-saturating loss.

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.

    python -m experiments.vanilla_gan

3,900 steps take about 100 seconds on 2 CPU cores. Expect speckled but legible digits, d_loss near
1.27 and g_loss near 0.87; FID 6.7, where real digits against real digits have 0.13.
"""

from jaxgen.commands import cli
from jaxgen.gan import losses
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.mlp import MLP

config = GanConfig(
    workdir="runs/vanilla_gan",
    networks=MLP(),
    loss=losses.non_saturating,
    steps=3900,  # 100 epochs of the 5,000 embedded digits
)

if __name__ == "__main__":
    cli.main(config, __doc__)
