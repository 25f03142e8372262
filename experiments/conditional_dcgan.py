"""Conditional DCGAN: label to the generator's noise, projection in the discriminator.

Radford et al. 2016, https://arxiv.org/abs/1511.06434; Miyato and Koyama 2018,
https://arxiv.org/abs/1802.05637 (projection).

    python -m experiments.conditional_dcgan
"""

from dataclasses import replace

from experiments import dcgan
from jaxgen import cli

config = replace(dcgan.config, workdir="runs/conditional_dcgan", conditional=True)

if __name__ == "__main__":
    cli.main(config, __doc__)
