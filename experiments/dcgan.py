"""Deep convolutional GAN on digits.

Radford et al. 2016, https://arxiv.org/abs/1511.06434; generator after InfoGAN (Chen et al. 2016),
appendix C.1.

    python -m experiments.dcgan
"""

from jaxgen import cli, losses
from jaxgen.gan import GanConfig
from jaxgen.models.dcgan import DCGAN

config = GanConfig(
    workdir="runs/dcgan",
    networks=DCGAN(),
    loss=losses.non_saturating,
    steps=780,  # 20 epochs of the 5,000 embedded digits
    sample_statistics="batch",  # as the notebook does
)

if __name__ == "__main__":
    cli.main(config, __doc__)
