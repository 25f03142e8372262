"""Fashion-MNIST in full, conditional, by R3GAN's recipe.

Huang et al. 2024, https://arxiv.org/abs/2501.05441: the relativistic loss with R1 and R2, Adam
without a first moment, no normalisation in the discriminator.

    apt-get install dataset-fashion-mnist
    python -m experiments.fashion_r3gan
"""

from dataclasses import replace

from experiments import conditional_dcgan
from jaxgen.commands import cli
from jaxgen.data.images.idx import Idx

config = replace(
    conditional_dcgan.best,
    workdir="runs/fashion_r3gan",
    data=Idx(train=60_000, dir="/usr/share/datasets/fashion-mnist"),
    steps=6000,
    evaluate_every=1000,
)

if __name__ == "__main__":
    cli.main(config, __doc__)
