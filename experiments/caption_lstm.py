"""Image captioning with an LSTM that starts from the image's features.

Vinyals et al. 2015, https://arxiv.org/abs/1411.4555.

    python -m experiments.caption_lstm
    python -m experiments.caption_lstm --preset overfit
    python -m experiments.caption_lstm --data.features attributes
    python -m experiments.caption_lstm --data coco --data.dir DIR

3,000 steps take 5 minutes on 2 CPU cores. Then captions of validation scenes are entirely true for
97 % of those with one digit, 48 % with two and 15 % with three, 54 % over all; half of all
relations are right, which is chance. With `--data.features attributes`, which tells what is in the
scene, they are true for 100 %, 95 % and 67 %: most errors are the features'. `--preset overfit`
ends at a loss of 0.05 and reproduces its 50 captions word for word.
"""

from dataclasses import replace

from experiments import caption_rnn
from jaxgen.captioning.captioners.recurrent import LSTM
from jaxgen.commands import cli

config = replace(
    caption_rnn.config,
    workdir="runs/caption_lstm",
    captioner=LSTM(hidden=256, word_size=128, dropout=0.1),
)

# In the notebook's 50 epochs the loss falls to 0.29 only: these captions begin much alike.
overfit = replace(
    caption_rnn.overfit,
    workdir="runs/caption_lstm_overfit",
    captioner=LSTM(),
    optimizer=replace(caption_rnn.overfit.optimizer, epoch_decay=0.975),
    steps=200,
    evaluate_every=200,
)

presets = {"overfit": overfit}

if __name__ == "__main__":
    cli.main(config, __doc__, presets=presets)
