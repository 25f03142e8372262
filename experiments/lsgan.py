"""Least-squares GAN on digits: the networks of the vanilla GAN, squared errors on raw scores.

Mao et al. 2017, https://arxiv.org/abs/1611.04076, equation 9.

    python -m experiments.lsgan

3,900 steps take 2 minutes on 2 CPU cores. Expect speckled digits that can be read, d_loss near 0.21
and g_loss near 0.18; FID 8.3 (the median of six seeds is 7.4), where real digits against real
digits have 0.13. Of seeds 0 to 5, number 4 collapses to a few digits after some 1,100 steps, when a
warning says that the discriminator is saturated: train again with another `--seed`.
"""

from dataclasses import replace

from experiments import vanilla_gan
from jaxgen.commands import cli
from jaxgen.gan import losses

config = replace(vanilla_gan.config, workdir="runs/lsgan", loss=losses.least_squares)

if __name__ == "__main__":
    cli.main(config, __doc__)
