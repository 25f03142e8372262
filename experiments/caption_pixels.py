"""Image captioning from raw pixels: a small CNN that learns together with the captioner.

Vinyals et al. 2015, https://arxiv.org/abs/1411.4555 (end to end); Xu et al. 2015,
https://arxiv.org/abs/1502.03044 (attention over a grid).

    python -m experiments.caption_pixels
    python -m experiments.caption_pixels --encoder.weights scratch

HEADER
"""

from dataclasses import replace

from experiments import caption_up_down
from jaxgen.captioning.encoders.scene_cnn import SceneCNN
from jaxgen.commands import cli

config = replace(
    caption_up_down.config,
    workdir="runs/caption_pixels",
    encoder=SceneCNN(weights="scenes", rate=0.3, shift=2),
    data=replace(caption_up_down.config.data, features="pixels"),
)

if __name__ == "__main__":
    cli.main(config, __doc__)
