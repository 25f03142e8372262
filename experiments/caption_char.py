"""Image captioning over characters instead of words: a tiny vocabulary and long sequences.

Graves 2013, https://arxiv.org/abs/1308.0850 (text by characters); the captioner is a Transformer,
https://arxiv.org/abs/1706.03762. Characters are joined before anything is scored, so the figures
stand beside those of `caption_transformer`.

    python -m experiments.caption_char
    python -m experiments.caption_rnn --data.units characters --max-length 100

The second line is how any other captioner reads characters.

4,000 steps take 9 minutes on 2 CPU cores. Then captions of validation scenes are entirely true for
90 % of those with one digit, 28 % with two and 19 % with three, 47 % over all; CIDEr-D 1.92. Over
words `caption_transformer` reaches 97 %, 89 % and 61 % in as much time, and 2.73.
"""

from dataclasses import replace

from experiments import caption_transformer
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.commands import cli

config = replace(
    caption_transformer.config,
    workdir="runs/caption_char",
    captioner=Transformer(width=128, heads=4, feed_forward=256),
    data=replace(caption_transformer.config.data, units="characters"),
    max_length=100,
    batch_size=32,
    steps=4000,
)

if __name__ == "__main__":
    cli.main(config, __doc__)
