"""SNGAN on digits: residual networks, spectral norm and the hinge loss.

Miyato et al. 2018, https://arxiv.org/abs/1802.05957; with `--conditional` its labels go to batch
norm and to a projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637).

    python -m experiments.sngan
    python -m experiments.sngan --conditional
    python -m experiments.sngan --preset paper

A step updates the discriminator twice, each time with 64 images of its own, and the generator once;
both learning rates fall to 0 over the run. 1,000 steps take 20 minutes on one CPU core and reach
FID 4.6. The paper's five updates and its learning rate of 2e-4 are meant for far more steps:
`--preset paper` has FID 7.9 after 2,000.
"""

from dataclasses import replace

from jaxgen.commands import cli
from jaxgen.gan import losses, noise
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.gan.recipe import Updates
from jaxgen.training.optimizers import Optimizer

config = GanConfig(
    workdir="runs/sngan",
    networks=SNGAN(),
    loss=losses.hinge,
    noise=noise.normal,
    noise_size=128,
    optimizer=Optimizer(learning_rate=1e-3, b1=0.0, b2=0.9, cosine=True),
    updates=Updates(discriminator=2),
    average_decay=0.99,
    batch_size=128,
    steps=1000,
)

paper = replace(
    config,
    workdir="runs/sngan_paper",
    optimizer=replace(config.optimizer, learning_rate=2e-4),
    updates=Updates(discriminator=5),
    batch_size=320,
    steps=2000,
)

presets = {"paper": paper}

if __name__ == "__main__":
    cli.main(config, __doc__, presets=presets)
