"""What recurrent captioners share that look at the tokens of an image for each word.

Shapes: N batch, T time, M tokens of an image, D their width, A attention width, H hidden, G stacked
gates (4·H), V vocabulary, R rows (N·B in beam search).
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from jaxgen.captioning.captioners.base import Captioner
from jaxgen.errors import JaxgenError
from jaxgen.nn import batch_axis, kernel_scan, ops
from jaxgen.nn.attention import masked_softmax
from jaxgen.nn.dropout import dropout
from jaxgen.nn.precision import exact, rounded
from jaxgen.settings import flag, setting

Array = jax.Array
PyTree = Any
Initializer = nn.initializers.Initializer

# Initial values as the other recurrent captioners have them.
_EMBEDDING = nn.initializers.normal(0.01)
_FAN_IN = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


@struct.dataclass
class Looks:
    """What attention reads of an image in every step."""

    tokens_NMD: Array
    keys_NMA: Array
    """The tokens' part in a score."""
    scorer_NA: Array
    """The vector that makes a score of the sum of a key and a query: the same in each row, so that
    a step's gradient of it is each row's own."""
    others: PyTree = None
    """Arrays (N, ...) that a captioner has beside them."""


def attend(image: Looks, query_NA: Array) -> tuple[Array, Array]:
    """Soft attention by sums: a score is v · tanh(key + query).

    Returns:
        The weights (N, M), rows summing to 1, and the tokens' mean by them, (N, D).

    Reference:
        Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473, appendix A.1.2.
    """
    met_NMA = jnp.tanh(exact(image.keys_NMA) + query_NA[:, None])
    weights_NM = masked_softmax(jnp.sum(met_NMA * image.scorer_NA[:, None], axis=-1), None)
    return weights_NM, jnp.sum(weights_NM[..., None] * exact(image.tokens_NMD), axis=1)


@struct.dataclass
class Carry:
    """What a caption's next word needs. Beam search reorders the states alone: all rows of a
    caption look at the same image."""

    image: Looks
    states: PyTree  # (R, ...) each
    captions: int = struct.field(pytree_node=False)  # N

    def expand(self, beams: int) -> "Carry":
        """Room for rows n·B + b."""
        return jax.tree.map(lambda x: jnp.repeat(x, beams, axis=0), self)

    def select(self, rows_R: Array) -> "Carry":
        """Let row r go on from row `rows_R[r]`, of the same caption."""

        def taken(x: Array) -> Array:
            return batch_axis.take(x, rows_R, self.captions)

        return replace(self, states=jax.tree.map(taken, self.states))


class LookingCaptioner(nn.Module):
    """What both captioners share; `ShowAttendTellCaptioner` describes fields and methods."""

    vocab_size: int
    hidden: int = 512
    word_dim: int = 256
    attention: int = 256
    dropout: float = 0.0
    null: int = 0
    param_dtype: Any = jnp.float32

    def setup(self) -> None:
        self.W_embed = self._matrix("W_embed", self.vocab_size, self.word_dim, _EMBEDDING)
        self.attention_scorer = self.param(
            "attention_scorer",
            nn.initializers.normal(self.attention**-0.5),
            (self.attention,),
            self.param_dtype,
        )

    def _look(self, features: Array, W_keys: Array, b_keys: Array | None = None) -> Looks:
        tokens_NMD = rounded(tokens_of(features.astype(self.param_dtype)))
        keys_NMA = ops.matmul(tokens_NMD, W_keys)
        if b_keys is not None:
            keys_NMA = keys_NMA + b_keys[None, None]
        scorer_NA = jnp.broadcast_to(self.attention_scorer[None], (len(features), self.attention))
        return Looks(tokens_NMD, rounded(keys_NMA), scorer_NA)

    def _scan(
        self,
        cell: kernel_scan.Cell,
        kernels: kernel_scan.Kernels,
        image: Looks,
        states: PyTree,
        inputs_NTF: Array,
    ) -> PyTree:
        """What each step gives, (N, T, ...); weights of attention come last and are recorded."""
        inputs_TNF = inputs_NTF.swapaxes(0, 1)
        _, given_T = kernel_scan.scan(cell, kernels, image, states, inputs_TNF)
        *given, weights_NTM = jax.tree.map(lambda x: x.swapaxes(0, 1), given_T)
        self.sow("intermediates", "weights", weights_NTM[:, None])
        return *given, weights_NTM

    def _embed(self, words: Array) -> Array:
        return self.W_embed[words]

    def _dropout(self, x: Array, train: bool) -> Array:
        key = self.make_rng("dropout") if train and self.dropout else None
        return dropout(x, self.dropout, key)

    def _matrix(
        self, name: str, rows: int, columns: int, initializer: Initializer = _FAN_IN
    ) -> Array:
        return self.param(name, initializer, (rows, columns), self.param_dtype)

    def _bias(self, name: str, size: int) -> Array:
        return self.param(name, nn.initializers.zeros, (size,), self.param_dtype)


def tokens_of(features: Array) -> Array:
    """Features as tokens (N, M, D); a vector (N, D) is one token."""
    if features.ndim not in (2, 3):
        raise ValueError(f"features must be (N, D) or (N, M, D), got shape {features.shape}")
    return features[:, None] if features.ndim == 2 else features


def dense(x: Array, kernel: Array, bias: Array) -> Array:
    """`x @ kernel + bias` over the last axis, in float32 at least."""
    return ops.matmul(x, kernel) + jnp.expand_dims(bias, tuple(range(x.ndim - 1)))


@dataclass(frozen=True)
class Looking(Captioner):
    """The numbers of a recurrent captioner that looks at tokens."""

    hidden: int = setting(512, least=1, most=2**16)
    """Width of each hidden state."""
    word_size: int = setting(256, least=1, most=2**16)
    """Numbers in a word's vector."""
    attention: int = setting(256, least=1, most=2**16)
    """Width in which tokens and hidden state meet."""
    dropout: float = setting(0.0, least=0, below=1)
    """Share of the word vectors, and of what is scored, that is dropped in training."""

    def _refuse_other_features(self, feature_shape: tuple[int, ...]) -> None:
        if len(feature_shape) not in (1, 2):
            raise JaxgenError(
                f"this captioner looks at tokens of an image, not at features of shape "
                f"{feature_shape}: use {flag('data.features')} grid, or an {flag('encoder')}"
            )
