"""Image captioning with a Transformer that attends to a grid of image tokens.

Xu et al. 2015, https://arxiv.org/abs/1502.03044 (attention over a grid); Vaswani et al. 2017,
https://arxiv.org/abs/1706.03762.

    python -m experiments.caption_transformer
    python -m experiments.caption_transformer --preset vector
    python -m experiments.caption_transformer --preset overfit

4,500 steps take 8 minutes on 2 CPU cores. Then captions of validation scenes are entirely true for
97 % of those with one digit, 89 % with two and 61 % with three, 83 % over all, with 83 % of all
relations right; CIDEr-D 2.73, where copying the caption of the nearest training image gets 1.65.
`--preset vector` sees one vector instead of the grid. `--preset overfit` ends at a loss of 0.02,
padding counted in the mean, and reproduces its 50 captions word for word.
"""

from dataclasses import replace

from experiments import caption_rnn
from jaxgen.captioning import losses
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import CaptionConfig
from jaxgen.commands import cli
from jaxgen.data.scenes.captions import Scenes
from jaxgen.training.optimizers import Optimizer

config = CaptionConfig(
    workdir="runs/caption_transformer",
    captioner=Transformer(width=192, heads=4, feed_forward=512),
    loss=losses.mean_over_tokens,
    optimizer=Optimizer(learning_rate=1e-3, warm_up=200, cosine=True),
    data=Scenes(features="grid"),
    batch_size=64,
    steps=4500,  # 3 epochs of the scenes' 100,000 captions
    log_every=100,
    sample_every=1000,
    evaluate_every=1500,
    checkpoint_every=500,
)

vector = replace(
    config, workdir="runs/caption_transformer_vector", data=replace(config.data, features="vector")
)

overfit = replace(  # the notebook's: 100 epochs of 50 captions
    caption_rnn.overfit,
    workdir="runs/caption_transformer_overfit",
    captioner=Transformer(),
    loss=losses.mean_over_positions,
    optimizer=Optimizer(learning_rate=1e-3),
    steps=200,
    evaluate_every=200,
)

presets = {"vector": vector, "overfit": overfit}

if __name__ == "__main__":
    cli.main(config, __doc__, presets=presets)
