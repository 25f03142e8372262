"""Image captioning from raw pixels: a small CNN that learns together with the captioner.

Vinyals et al. 2015, https://arxiv.org/abs/1411.4555 (end to end); Anderson et al. 2018,
https://arxiv.org/abs/1707.07998 (where to look, and what to say).

    python -m experiments.caption_pixels
    python -m experiments.caption_pixels --encoder.weights scratch

The CNN begins with the weights of the shipped features of scenes and learns on. The run takes 2,020
processor seconds, 17 minutes of 2 CPU cores with AVX512_BF16 (AMD EPYC). Captions of validation
scenes are then entirely true for 97.9 % of those with one digit, 94.4 % with two and 82.3 % with
three, 91.6 % over all, with 93.6 % of all relations right; CIDEr-D 2.92; of two sentences of which
one is true it finds the true one likelier in 97.8 % (relations alone 96.6 %). 300 steps by reward
(`--objective self_critical --objective.start runs/caption_pixels --steps 300
--optimizer.learning-rate 3e-4 --optimizer.warm-up 20`, 4 minutes) lead to 94.8 % and 3.40.
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
    precision="bfloat16",
    steps=8000,
)

if __name__ == "__main__":
    cli.main(config, __doc__)
