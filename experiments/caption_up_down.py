"""Image captioning with two LSTMs: one decides where to look, the other what to say.

Anderson et al. 2018, https://arxiv.org/abs/1707.07998 (its top-down attention, here over a grid).

    python -m experiments.caption_up_down

With `--steps 1500` (78 ms a step on 2 CPU cores) captions of 1,000 validation scenes are entirely
true for 98 % of those with one digit, 71 % with two and 34 % with three, 69 % over all; CIDEr-D
2.63.
"""

from dataclasses import replace

from experiments import caption_attention
from jaxgen.captioning.captioners.up_down import UpDown
from jaxgen.commands import cli

config = replace(
    caption_attention.config,
    workdir="runs/caption_up_down",
    captioner=UpDown(hidden=256, word_size=128, attention=128, dropout=0.1),
)

if __name__ == "__main__":
    cli.main(config, __doc__)
