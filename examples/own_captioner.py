"""A captioner of your own: the last two words and the image say what comes next.

    python examples/own_captioner.py
    jaxgen caption runs/own_captioner --import examples/own_captioner.py

What decoding needs of the words before is the carry: here the word before the last.
"""

from dataclasses import dataclass, replace

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments import caption_rnn
from jaxgen.captioning.captioners.base import Captioner
from jaxgen.commands import cli
from jaxgen.settings import setting

Array = jax.Array


class TrigramModule(nn.Module):
    """Scores of the next word from the image and the two words before it."""

    vocab_size: int
    width: int

    def setup(self) -> None:
        self.before = nn.Embed(self.vocab_size, self.width)
        self.last = nn.Embed(self.vocab_size, self.width)
        self.image = nn.Dense(self.width)
        self.output = nn.Dense(self.vocab_size)

    def __call__(self, features_ND: Array, captions_NT: Array, train: bool = False) -> Array:
        before_NT = jnp.pad(captions_NT[:, :-1], ((0, 0), (1, 0)))
        words_NTH = self.before(before_NT) + self.last(captions_NT)
        return self.output(nn.relu(words_NTH + self.image(features_ND)[:, None]))

    def start(self, features_ND: Array) -> tuple[Array, Array]:
        """The carry before START: no word, and what the image says."""
        return jnp.zeros(features_ND.shape[0], jnp.int32), self.image(features_ND)

    def step(self, carry: tuple[Array, Array], words_N: Array) -> tuple[tuple[Array, Array], Array]:
        """Read one word a caption; the new carry and the scores of the next word (N, V)."""
        before_N, image_NH = carry
        words_NH = self.before(before_N) + self.last(words_N)
        return (words_N, image_NH), self.output(nn.relu(words_NH + image_NH))


@dataclass(frozen=True)
class Trigram(Captioner):
    """A captioner without memory beyond two words."""

    width: int = setting(256, least=1)
    """Of the hidden layer."""

    def module(
        self, vocab_size: int, feature_shape: tuple[int, ...], max_length: int, null: int = 0
    ) -> nn.Module:
        return TrigramModule(vocab_size, self.width)


config = replace(caption_rnn.config, workdir="runs/own_captioner", captioner=Trigram())

if __name__ == "__main__":
    cli.main(config, __doc__)
