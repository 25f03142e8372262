"""Image captioning with a vanilla recurrent network that starts from the image's features.

Karpathy and Fei-Fei 2015, https://arxiv.org/abs/1412.2306; Vinyals et al. 2015,
https://arxiv.org/abs/1411.4555.

    python -m experiments.caption_rnn
    python -m experiments.caption_rnn --preset overfit
    python -m experiments.caption_rnn --data.features attributes
    python -m experiments.caption_rnn --data coco --data.dir DIR

3,000 steps take 2 minutes on 2 CPU cores. Then captions of validation scenes are entirely true for
96 % of those with one digit, 36 % with two and 12 % with three, 49 % over all; half of all
relations are right, which is chance. `--preset overfit` ends at a loss of 0.05 and reproduces its
50 captions word for word.
"""

from dataclasses import replace

from jaxgen.captioning.captioners.recurrent import RNN
from jaxgen.captioning.config import CaptionConfig
from jaxgen.commands import cli
from jaxgen.data.scenes.captions import Scenes
from jaxgen.training.optimizers import Optimizer

config = CaptionConfig(
    workdir="runs/caption_rnn",
    captioner=RNN(hidden=256, word_size=128, dropout=0.1),
    optimizer=Optimizer(learning_rate=2e-3, warm_up=200, cosine=True),
    steps=3000,  # 4 epochs of the scenes' 100,000 captions
    log_every=100,
    sample_every=500,
    evaluate_every=1000,
    checkpoint_every=500,
)

overfit = replace(  # the notebook's: 50 epochs of 50 captions
    config,
    workdir="runs/caption_rnn_overfit",
    captioner=RNN(),
    optimizer=Optimizer(learning_rate=5e-3, epoch_decay=0.95),
    data=Scenes(max_train=50),
    batch_size=25,
    steps=100,
    log_every=10,
    sample_every=50,
    evaluate_every=100,
    checkpoint_every=50,
)

presets = {"overfit": overfit}

if __name__ == "__main__":
    cli.main(config, __doc__, presets=presets)
