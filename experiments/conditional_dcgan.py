"""Conditional DCGAN: label to the generator's noise, projection in the discriminator.

Radford et al. 2016, https://arxiv.org/abs/1511.06434; Miyato and Koyama 2018,
https://arxiv.org/abs/1802.05637 (projection).

    python -m experiments.conditional_dcgan

624 steps take about 4 minutes on 2 CPU cores. Expect ten rows of clear digits: 98.6 % of the
samples are classified as the digit that was asked for, FID 0.5 (real digits against real digits:
0.13).
"""

from dataclasses import replace

from experiments import dcgan
from jaxgen.commands import cli

config = replace(dcgan.config, workdir="runs/conditional_dcgan", conditional=True)

if __name__ == "__main__":
    cli.main(config, __doc__)
