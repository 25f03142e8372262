"""Recurrent captioners (vanilla RNN and LSTM), and the configurations that build them.

Shapes: N batch, T time, D input or feature, H hidden, V vocabulary.

All that does not depend on the previous step stays out of the scan over time: the input
projection of every step is one matrix product before it, the vocabulary projection one after it.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.captioning.captioners.base import Captioner
from jaxgen.errors import JaxgenError
from jaxgen.nn import ops
from jaxgen.nn.dropout import dropout
from jaxgen.nn.recurrence import lstm_sequence, lstm_step, rnn_sequence, rnn_step
from jaxgen.settings import flag, named, setting

Array = jax.Array
Initializer = nn.initializers.Initializer

# Initial values of the notebook: small word vectors, other kernels normal / sqrt(fan in).
_EMBEDDING = nn.initializers.normal(0.01)
_FAN_IN = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


class _RecurrentCaptioner(nn.Module):
    """What both captioners share; `RNNCaptioner` describes fields and methods."""

    vocab_size: int
    hidden: int = 512
    word_dim: int = 256
    dropout: float = 0.0
    param_dtype: Any = jnp.float32

    gates: ClassVar[int]

    def setup(self) -> None:
        gates = self.gates * self.hidden
        self.W_embed = self._matrix("W_embed", self.vocab_size, self.word_dim, _EMBEDDING)
        self.Wx = self._matrix("Wx", self.word_dim, gates)
        self.Wh = self._matrix("Wh", self.hidden, gates)
        self.b = self._bias("b", gates)
        self.W_vocab = self._matrix("W_vocab", self.hidden, self.vocab_size)
        self.b_vocab = self._bias("b_vocab", self.vocab_size)

    def __call__(self, features: Array, captions_NT: Array, train: bool = False) -> Array:
        h0_NH = self._initial_hidden(features)
        x_NTD = self._dropout(self.embed(captions_NT), train)
        h_NTH = self._sequence(x_NTD, h0_NH)
        return self.scores(self._dropout(h_NTH, train))

    def embed(self, words: Array) -> Array:
        """Vectors (..., D) of word indices (...)."""
        return self.W_embed[words]

    def scores(self, h: Array) -> Array:
        """Scores (..., V) of the next word after hidden states (..., H)."""
        bias = jnp.expand_dims(self.b_vocab, tuple(range(h.ndim - 1)))
        return ops.matmul(h, self.W_vocab) + bias

    def _matrix(
        self, name: str, rows: int, columns: int, initializer: Initializer = _FAN_IN
    ) -> Array:
        return self.param(name, initializer, (rows, columns), self.param_dtype)

    def _bias(self, name: str, size: int) -> Array:
        return self.param(name, nn.initializers.zeros, (size,), self.param_dtype)

    @nn.compact  # not in setup: only here is the width of the features known
    def _initial_hidden(self, features_ND: Array) -> Array:
        if features_ND.ndim != 2:
            raise ValueError(
                f"a recurrent captioner reads features (N, D), got shape {features_ND.shape}"
            )
        W_proj = self._matrix("W_proj", features_ND.shape[1], self.hidden)
        b_proj = self._bias("b_proj", self.hidden)
        return ops.matmul(features_ND.astype(W_proj.dtype), W_proj) + b_proj[None, :]

    def _dropout(self, x: Array, train: bool) -> Array:
        if not train or self.dropout == 0:
            return x
        return dropout(x, self.dropout, self.make_rng("dropout"))


class RNNCaptioner(_RecurrentCaptioner):
    """Vanilla recurrent captioner: image features set h0, words follow one by one.

    Calling it returns the scores of a whole caption, `start` and `step` those of a word at a time:

        logits_NTV = module.apply(params, features_ND, captions_NT, train=False)
        carry = module.apply(params, features_ND, method="start")
        carry, logits_NV = module.apply(params, carry, words_N, method="step")

    Attributes:
        vocab_size: V, number of words.
        hidden: H, width of the hidden state.
        word_dim: width of the word vectors.
        dropout: rate on word vectors and on the hidden states that are scored, in [0, 1); with
            `train=True` it draws from the "dropout" random stream.
        param_dtype: of the parameters, which is also that of the computation.

    Reference:
        Karpathy and Fei-Fei 2015, https://arxiv.org/abs/1412.2306.
    """

    gates: ClassVar[int] = 1

    def _sequence(self, x_NTD: Array, h0_NH: Array) -> Array:
        return rnn_sequence(x_NTD, h0_NH, self.Wx, self.Wh, self.b)

    def start(self, features_ND: Array) -> Array:
        """Prepare decoding: the carry is the hidden state (N, H)."""
        return self._initial_hidden(features_ND)

    def step(self, h_NH: Array, words_N: Array) -> tuple[Array, Array]:
        """Read one word a caption; return the new carry and the scores of the next word."""
        h_NH = rnn_step(self.embed(words_N), h_NH, self.Wx, self.Wh, self.b)
        return h_NH, self.scores(h_NH)


class LSTMCaptioner(_RecurrentCaptioner):
    """Captioner with an LSTM cell; fields and methods are those of `RNNCaptioner`.

    Reference:
        Vinyals et al. 2015, https://arxiv.org/abs/1411.4555 (there the image is read as a first
        word, here it sets h0).
    """

    gates: ClassVar[int] = 4

    def _sequence(self, x_NTD: Array, h0_NH: Array) -> Array:
        return lstm_sequence(x_NTD, h0_NH, self.Wx, self.Wh, self.b)

    def start(self, features_ND: Array) -> tuple[Array, Array]:
        """Prepare decoding: the carry is the hidden and the cell state, both (N, H)."""
        h0_NH = self._initial_hidden(features_ND)
        return h0_NH, jnp.zeros_like(h0_NH)

    def step(self, carry: tuple[Array, Array], words_N: Array) -> tuple[tuple[Array, Array], Array]:
        """Read one word a caption; return the new carry and the scores of the next word."""
        h_NH, c_NH = lstm_step(self.embed(words_N), *carry, self.Wx, self.Wh, self.b)
        return (h_NH, c_NH), self.scores(h_NH)


@dataclass(frozen=True)
class _Recurrent(Captioner):
    """The numbers of a recurrent captioner."""

    hidden: int = setting(512, least=1, most=2**16)
    """Width of the hidden state."""
    word_size: int = setting(256, least=1, most=2**16)
    """Numbers in a word's vector."""
    dropout: float = setting(0.0, least=0, below=1)
    """Share of the word vectors and of the scored hidden states that is dropped in training."""

    def _build(
        self, cls: type[_RecurrentCaptioner], vocab_size: int, feature_shape: tuple[int, ...]
    ) -> nn.Module:
        if len(feature_shape) != 1:
            raise JaxgenError(
                "a recurrent captioner reads one vector an image, not tokens: "
                f"use {flag('data.features')} vector or attributes, or caption_transformer"
            )
        return cls(vocab_size, self.hidden, self.word_size, self.dropout)


@named("rnn", "jaxgen.models.recurrent:RNN")
@dataclass(frozen=True)
class RNN(_Recurrent):
    """A vanilla recurrent captioner."""

    def module(
        self, vocab_size: int, feature_shape: tuple[int, ...], max_length: int, null: int = 0
    ) -> nn.Module:
        return self._build(RNNCaptioner, vocab_size, feature_shape)


@named("lstm", "jaxgen.models.recurrent:LSTM")
@dataclass(frozen=True)
class LSTM(_Recurrent):
    """A captioner with an LSTM cell."""

    def module(
        self, vocab_size: int, feature_shape: tuple[int, ...], max_length: int, null: int = 0
    ) -> nn.Module:
        return self._build(LSTMCaptioner, vocab_size, feature_shape)
