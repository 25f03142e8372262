"""Image captioning with an LSTM that starts from the image's features.

Vinyals et al. 2015, https://arxiv.org/abs/1411.4555.

    python -m experiments.caption_lstm
    python -m experiments.caption_lstm --preset overfit
    python -m experiments.caption_lstm --data.features attributes
    python -m experiments.caption_lstm --data.name coco --data.dir DIR
"""

from dataclasses import replace

from experiments import caption_rnn
from jaxgen import cli
from jaxgen.models.recurrent import LSTM

config = replace(
    caption_rnn.config, workdir="runs/caption_lstm", captioner=LSTM(hidden=512, dropout=0.2)
)

overfit = replace(caption_rnn.overfit, workdir="runs/caption_lstm_overfit", captioner=LSTM())

if __name__ == "__main__":
    cli.main(config, __doc__, presets={"overfit": overfit})
