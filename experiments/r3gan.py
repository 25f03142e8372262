"""R3GAN on digits: relativistic loss with R1 and R2, residual networks without normalisation.

Huang et al. 2024, https://arxiv.org/abs/2501.05441.

    python -m experiments.r3gan
    python -m experiments.r3gan --conditional
    python -m experiments.r3gan --preset paper

Learning rate, penalties, Adam's second decay, the average of the generator and the augmentation
change over the first steps along half a cosine. The penalties are taken of images as they are made,
through their augmentation. The networks are far smaller than theirs, and the learning rate is five
times as high: with theirs, `--preset paper`, FID is 17 after 1,000 steps, and 9.8 with this one.
"""

from dataclasses import replace

from jaxgen.commands import cli
from jaxgen.gan import augmentation as augment
from jaxgen.gan import losses, noise
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.recipe import Augmenting, BurnIn, Penalty
from jaxgen.training.optimizers import Optimizer

config = GanConfig(
    workdir="runs/r3gan",
    networks=R3GAN(),
    loss=losses.relativistic_r1r2,
    penalty_weight=1.0,
    penalty=Penalty(images="made"),
    noise=noise.normal,
    noise_size=64,
    optimizer=Optimizer(learning_rate=1e-3, b1=0.0, b2=0.9),
    augmentation=augment.ada_upright,
    augmenting=Augmenting(strength=0.0),
    burn_in=BurnIn(
        steps=2000,
        learning_rate=2.5e-4,
        b2=0.99,
        penalty_weight=0.1,
        average_decay=0.995,
        strength=0.3,
    ),
    batch_size=64,
    steps=3000,
)

paper = replace(
    config,
    workdir="runs/r3gan_paper",
    optimizer=replace(config.optimizer, learning_rate=2e-4),
    burn_in=replace(config.burn_in, learning_rate=5e-5),
)

presets = {"paper": paper}

if __name__ == "__main__":
    cli.main(config, __doc__, presets=presets)
