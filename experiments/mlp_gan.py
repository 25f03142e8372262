"""Fully connected GAN with batch norm in the generator, sampled with running averages.

Radford et al. 2016, https://arxiv.org/abs/1511.06434 (batch norm); Goodfellow et al. 2014.

    python -m experiments.mlp_gan

9,360 steps take about 4 minutes on 2 CPU cores. Expect digits with some speckles, d_loss near 1.2
and g_loss near 1.0; FID 3.2, where real digits against real digits have 0.13.
"""

from jaxgen.commands import cli
from jaxgen.gan import losses, noise
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training.optimizers import Optimizer

config = GanConfig(
    workdir="runs/mlp_gan",
    networks=MLP(
        generator_hidden=(128, 256, 512, 1024),
        generator_normalized=(1, 2, 3),
        generator_slope=0.2,
        discriminator_hidden=(512, 256),
        discriminator_slope=0.2,
    ),
    loss=losses.non_saturating,
    noise=noise.normal,
    noise_size=100,
    optimizer=Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999),
    batch_size=64,
    steps=9360,  # 120 epochs of the 5,000 embedded digits; the notebook's 10 epochs of 60,000
    sample_every=1000,
    checkpoint_every=1000,
)

if __name__ == "__main__":
    cli.main(config, __doc__)
