"""Show, Attend and Tell: an LSTM that looks at the tokens of an image before each word.

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
from jaxgen.settings import named, setting

Array = jax.Array
States = tuple[Array, Array]
"""Hidden and cell, (N, H) each."""


def _cell(
    multiply: kernel_scan.Multiply, image: Looks, states: States, x_NG: Array
) -> tuple[States, tuple[Array, Array, Array]]:
    """Look with the hidden state, then step; gives the hidden state, the context, the weights."""
    h_NH, c_NH = states
    width = image.scorer_NA.shape[1]
    of_hidden = multiply("hidden", h_NH)
    query_NA, gate_N1, a_NG = jnp.split(of_hidden, [width, width + 1], axis=1)
    weights_NM, context_ND = attend(image, query_NA)
    context_ND = jax.nn.sigmoid(gate_N1 + image.others) * context_ND
    h_NH, c_NH = lstm_update(x_NG + a_NG + multiply("context", context_ND), c_NH)
    return (h_NH, c_NH), (rounded(h_NH), rounded(context_ND), weights_NM)


class ShowAttendTellCaptioner(LookingCaptioner):
    """Captioner with soft attention, a gated context and a deep output.

    Calling it returns the scores of a whole caption, `start` and `step` those of a word at a time:

        logits_NTV = module.apply(params, features, captions_NT, train=False)
        carry = module.apply(params, features, method="start")
        carry, logits_NV = module.apply(params, carry, words_N, method="step")

    Features are tokens (N, M, D), or vectors (N, D), which are one token each. With `train=True`
    and several tokens the doubly stochastic term is added to the collection "losses": of each
    caption `doubly_stochastic` times the sum over tokens of (1 - what all its words paid to the
    token)², where a word is every one that is read, END included and padding not.

    Attributes:
        vocab_size: V, number of words.
        hidden: H, width of the hidden state.
        word_dim: W, width of the word vectors.
        attention: A, width in which tokens and hidden state meet.
        dropout: rate on word vectors and on what is scored, in [0, 1); with `train=True` it draws
            from the "dropout" random stream.
        null: the word that pads captions.
        param_dtype: of the parameters, which is also that of the computation.
        doubly_stochastic: weight of that term, in nats a caption.

    Reference:
        Xu et al. 2015, https://arxiv.org/abs/1502.03044, sections 3.1.2 and 4.2.
    """

    doubly_stochastic: float = 1.0

    def setup(self) -> None:
        super().setup()
        gates = 4 * self.hidden
        self.Wx = self._matrix("Wx", self.word_dim, gates)
        self.Wh = self._matrix("Wh", self.hidden, gates)
        self.b = self._bias("b", gates)
        self.W_query = self._matrix("W_query", self.hidden, self.attention)
        self.W_gate = self._matrix("W_gate", self.hidden, 1)
        self.b_gate = self._bias("b_gate", 1)
        self.W_deep_hidden = self._matrix("W_deep_hidden", self.hidden, self.word_dim)
        self.W_vocab = self._matrix("W_vocab", self.word_dim, self.vocab_size)
        self.b_vocab = self._bias("b_vocab", self.vocab_size)

    @nn.compact  # not in setup: only here is the width of the tokens known
    def _of_width(self, width: int) -> dict[str, Array]:
        """The parameters whose shapes depend on the width of the tokens."""
        matrices = {
            "W_keys": self.attention,
            "W_context": 4 * self.hidden,
            "W_deep_context": self.word_dim,
            "W_h0": self.hidden,
            "W_c0": self.hidden,
        }
        biases = {"b_keys": self.attention, "b_h0": self.hidden, "b_c0": self.hidden}
        return {
            **{name: self._matrix(name, width, columns) for name, columns in matrices.items()},
            **{name: self._bias(name, columns) for name, columns in biases.items()},
        }

    def __call__(self, features: Array, captions_NT: Array, train: bool = False) -> Array:
        of_width = self._of_width(features.shape[-1])
        image, states = self._begin(features, of_width)
        x_NTW = self._dropout(self._embed(captions_NT), train)
        inputs_NTG = rounded(dense(x_NTW, self.Wx, self.b))
        h_NTH, context_NTD, weights_NTM = self._scan(
            _cell, self._kernels(of_width), image, states, inputs_NTG
        )
        if train and self.doubly_stochastic and weights_NTM.shape[2] > 1:
            is_read_NT = captions_NT != self.null
            paid_NM = jnp.sum(weights_NTM * is_read_NT[..., None], axis=1)
            term_N = self.doubly_stochastic * jnp.sum((1 - paid_NM) ** 2, axis=1)
            self.sow("losses", "doubly_stochastic", term_N)
        return self._scores(x_NTW, h_NTH, context_NTD, of_width, train)

    def start(self, features: Array) -> Carry:
        """Prepare decoding: the image's part of attention, and the first states."""
        image, states = self._begin(features, self._of_width(features.shape[-1]))
        return Carry(image, states, len(features))

    def step(self, carry: Carry, words_N: Array) -> tuple[Carry, Array]:
        """Read one word a caption; return the new carry and the scores of the next word."""
        of_width = self._of_width(carry.image.tokens_NMD.shape[-1])
        x_NW = self._embed(words_N)
        states, (h_NH, context_ND, _) = kernel_scan.step(
            _cell,
            self._kernels(of_width),
            carry.image,
            carry.states,
            rounded(dense(x_NW, self.Wx, self.b)),
        )
        return replace(carry, states=states), self._scores(x_NW, h_NH, context_ND, of_width)

    def _begin(self, features: Array, of_width: dict[str, Array]) -> tuple[Looks, States]:
        image = self._look(features, of_width["W_keys"], of_width["b_keys"])
        gate_N1 = jnp.broadcast_to(self.b_gate[None], (len(features), 1))
        mean_ND = jnp.mean(image.tokens_NMD, axis=1, dtype=self.param_dtype)
        h0_NH, c0_NH = (
            jnp.tanh(dense(mean_ND, of_width[f"W_{name}"], of_width[f"b_{name}"]))
            for name in ("h0", "c0")
        )
        return replace(image, others=gate_N1), (h0_NH, c0_NH)

    def _kernels(self, of_width: dict[str, Array]) -> kernel_scan.Kernels:
        of_hidden = jnp.concatenate([self.W_query, self.W_gate, self.Wh], axis=1)
        return {"hidden": of_hidden, "context": of_width["W_context"]}

    def _scores(
        self, x: Array, h: Array, context: Array, of_width: dict[str, Array], train: bool = False
    ) -> Array:
        """The deep output, equation 7: words, states and contexts (..., .) to scores (..., V)."""
        deep = x + ops.matmul(h, self.W_deep_hidden)
        deep = deep + ops.matmul(context, of_width["W_deep_context"])
        return dense(self._dropout(rounded(deep), train), self.W_vocab, self.b_vocab)


@named("show_attend_tell")
@dataclass(frozen=True)
class ShowAttendTell(Looking):
    """An LSTM that looks at the tokens of an image before each word."""

    doubly_stochastic: float = setting(1.0, least=0)
    """Weight of the term that has the words of a caption look at all of the image; in nats a
    caption, as the loss `sum_over_time` is."""

    def module(
        self, vocab_size: int, feature_shape: tuple[int, ...], max_length: int, null: int = 0
    ) -> nn.Module:
        self._refuse_other_features(feature_shape)
        return ShowAttendTellCaptioner(
            vocab_size,
            self.hidden,
            self.word_size,
            self.attention,
            self.dropout,
            null,
            doubly_stochastic=self.doubly_stochastic,
        )
