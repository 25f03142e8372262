"""A set of captions of your own: patches of colour and what they are called, made in memory.

    python examples/own_captions.py
    jaxgen caption runs/own_captions --import examples/own_captions.py

Pictures and captions in files need no code: `jaxgen captions build` makes a set of them.
"""

from dataclasses import dataclass, replace

import numpy as np

from experiments import caption_rnn
from jaxgen.commands import cli
from jaxgen.data.captions.base import CaptionData, Captions, Features, Split
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.settings import setting

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}


@dataclass(frozen=True, kw_only=True)
class Patches(Captions):
    """Noisy colours, each called by its name."""

    images: int = setting(200, least=8)
    """How many; a quarter is held out."""

    def load(self) -> CaptionData:
        rng = np.random.default_rng(0)
        names = [list(COLOURS)[i] for i in rng.integers(0, len(COLOURS), self.images)]
        features_MF = np.array([COLOURS[name] for name in names], np.float32)
        features_MF += rng.normal(0, 0.1, features_MF.shape).astype(np.float32)
        sentences = [f"a patch of {name}" for name in names]
        vocabulary = Vocabulary.of_sentences(sentences, least=1)

        def split(rows: range) -> Split:
            captions_NT = np.stack([vocabulary.encode(sentences[row], 8) for row in rows])
            arrays = {"captions": captions_NT, "image_index": np.arange(len(rows), dtype=np.int32)}
            # No pictures to show: an address for each image, which nothing is found at.
            return Split(arrays, Features.of(features_MF[rows]), [f"{row}.png" for row in rows])

        held_out = self.images // 4
        return CaptionData(
            train=split(range(held_out, self.images)),
            validation=split(range(held_out)),
            vocabulary=vocabulary,
        )


config = replace(
    caption_rnn.config, workdir="runs/own_captions", data=Patches(), batch_size=16, steps=400
)

if __name__ == "__main__":
    cli.main(config, __doc__)
