"""Up-Down: one LSTM decides where to look, a second one what to say.

Shapes: N batch, T time, M tokens of an image, D their width, A attention width, W word vector, H
hidden, G stacked gates (4·H), V vocabulary.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.captioning.captioners.looking import (
    Carry,
    Looking,
    LookingCaptioner,
    Looks,
    attend,
    dense,
)
from jaxgen.nn import kernel_scan, ops
from jaxgen.nn.precision import rounded
from jaxgen.nn.recurrence import lstm_update
from jaxgen.settings import named

Array = jax.Array
States = tuple[Array, Array, Array, Array]
"""Hidden and cell of the attention LSTM, then of the language LSTM, (N, H) each."""


def _cell(
    multiply: kernel_scan.Multiply, image: Looks, states: States, x_NG: Array
) -> tuple[States, tuple[Array, Array]]:
    """Gives the language LSTM's hidden state, and the weights."""
    h1_NH, c1_NH, h2_NH, c2_NH = states
    a_of_image_NG, b2_NG = image.others
    of_both = multiply("attention", jnp.concatenate([h2_NH, h1_NH], axis=1))
    h1_NH, c1_NH = lstm_update(x_NG + a_of_image_NG + of_both, c1_NH)
    width = image.scorer_NA.shape[1]
    query_NA, a2_NG = jnp.split(multiply("hidden", h1_NH), [width], axis=1)
    weights_NM, context_ND = attend(image, query_NA)
    read = jnp.concatenate([context_ND, h2_NH], axis=1)
    h2_NH, c2_NH = lstm_update(a2_NG + multiply("language", read) + b2_NG, c2_NH)
    return (h1_NH, c1_NH, h2_NH, c2_NH), (rounded(h2_NH), weights_NM)


class UpDownCaptioner(LookingCaptioner):
    """Captioner of two LSTMs, over a grid or given regions; calls, features and fields are those of
    `ShowAttendTellCaptioner`, without its term.

    The first LSTM reads the word, the mean of the tokens and the second one's state before; its
    hidden state chooses the tokens' weights. The second reads what was looked at and the first
    one's state, and is scored. All states begin as zeros.

    Reference:
        Anderson et al. 2018, https://arxiv.org/abs/1707.07998, section 3.2.
    """

    def setup(self) -> None:
        super().setup()
        gates = 4 * self.hidden
        self.Wx = self._matrix("Wx", self.word_dim, gates)
        self.W_attention = self._matrix("W_attention", 2 * self.hidden, gates)
        self.b_attention = self._bias("b_attention", gates)
        self.W_query = self._matrix("W_query", self.hidden, self.attention)
        self.W_language = self._matrix("W_language", 2 * self.hidden, gates)
        self.b_language = self._bias("b_language", gates)
        self.W_vocab = self._matrix("W_vocab", self.hidden, self.vocab_size)
        self.b_vocab = self._bias("b_vocab", self.vocab_size)

    @nn.compact  # not in setup: only here is the width of the tokens known
    def _of_width(self, width: int) -> dict[str, Array]:
        """The parameters whose shapes depend on the width of the tokens."""
        gates = 4 * self.hidden
        matrices = {"W_keys": self.attention, "W_mean": gates, "W_context": gates}
        return {name: self._matrix(name, width, columns) for name, columns in matrices.items()}

    def __call__(self, features: Array, captions_NT: Array, train: bool = False) -> Array:
        of_width = self._of_width(features.shape[-1])
        image, states = self._begin(features, of_width)
        x_NTW = self._dropout(self._embed(captions_NT), train)
        inputs_NTG = rounded(ops.matmul(x_NTW, self.Wx))
        h_NTH, _ = self._scan(_cell, self._kernels(of_width), image, states, inputs_NTG)
        return dense(self._dropout(h_NTH, train), self.W_vocab, self.b_vocab)

    def start(self, features: Array) -> Carry:
        """Prepare decoding: the image's part of both LSTMs, and states of zeros."""
        image, states = self._begin(features, self._of_width(features.shape[-1]))
        return Carry(image, states, len(features))

    def step(self, carry: Carry, words_N: Array) -> tuple[Carry, Array]:
        """Read one word a caption; return the new carry and the scores of the next word."""
        states, (h_NH, _) = kernel_scan.step(
            _cell,
            self._kernels(self._of_width(carry.image.tokens_NMD.shape[-1])),
            carry.image,
            carry.states,
            rounded(ops.matmul(self._embed(words_N), self.Wx)),
        )
        return replace(carry, states=states), dense(h_NH, self.W_vocab, self.b_vocab)

    def _begin(self, features: Array, of_width: dict[str, Array]) -> tuple[Looks, States]:
        image = self._look(features, of_width["W_keys"])
        mean_ND = jnp.mean(image.tokens_NMD, axis=1, dtype=self.param_dtype)
        a_of_image_NG = dense(mean_ND, of_width["W_mean"], self.b_attention)
        b2_NG = jnp.broadcast_to(self.b_language[None], a_of_image_NG.shape)
        zeros_NH = jnp.zeros((len(features), self.hidden), self.param_dtype)
        states = (zeros_NH, zeros_NH, zeros_NH, zeros_NH)
        return replace(image, others=(a_of_image_NG, b2_NG)), states

    def _kernels(self, of_width: dict[str, Array]) -> kernel_scan.Kernels:
        W_of_first, W_of_second = jnp.split(self.W_language, 2)
        return {
            "attention": self.W_attention,
            "hidden": jnp.concatenate([self.W_query, W_of_first], axis=1),
            "language": jnp.concatenate([of_width["W_context"], W_of_second]),
        }


@named("up_down")
@dataclass(frozen=True)
class UpDown(Looking):
    """Two LSTMs: one decides where to look, the other what to say."""

    def module(
        self, vocab_size: int, feature_shape: tuple[int, ...], max_length: int, null: int = 0
    ) -> nn.Module:
        self._refuse_other_features(feature_shape)
        return UpDownCaptioner(
            vocab_size, self.hidden, self.word_size, self.attention, self.dropout, null
        )
