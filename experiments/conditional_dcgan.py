"""Conditional DCGAN: label to the generator's noise, projection in the discriminator.

Radford et al. 2016, https://arxiv.org/abs/1511.06434; Miyato and Koyama 2018,
https://arxiv.org/abs/1802.05637 (projection).

    python -m experiments.conditional_dcgan
    python -m experiments.conditional_dcgan --preset best

624 steps take about 4 minutes on 2 CPU cores. Expect ten rows of clear digits: 98.6 % of the
samples are classified as the digit that was asked for, FID 0.5 (real digits against real digits:
0.13).

Recall is 0.5 then: each digit is drawn in fewer ways than people have. `--preset best`, with the
relativistic loss, R1 and R2 (Huang et al. 2024, https://arxiv.org/abs/2501.05441), a rate that
falls to 0 and a moving average of the generator, draws them in more: after 2,000 steps, 9 minutes,
FID 0.10, precision 0.85, recall 0.79, and 98.0 % are the digit that was asked for (means of three
seeds). Of noise that is truncated at 0.9 (`jaxgen evaluate --truncation 0.9`) 99.0 % are, at FID
0.18 and recall 0.76.
"""

from dataclasses import replace

from experiments import dcgan
from jaxgen.commands import cli

config = replace(dcgan.config, workdir="runs/conditional_dcgan", conditional=True)

best = replace(dcgan.relativistic, workdir="runs/conditional_dcgan_best", conditional=True)

presets = {"best": best}

if __name__ == "__main__":
    cli.main(config, __doc__, presets=presets)
