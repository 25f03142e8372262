"""Transformer captioner: a post-norm decoder that attends to the image's features.

Shapes: N batch, T time, M memory tokens, D width, V vocabulary, H heads, K width of a head, B
beams, R rows (N·B), L places of the cache.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct

from jaxgen.captioning.captioners.base import Captioner
from jaxgen.captioning.captioners.decoder_layer import DecoderLayer
from jaxgen.captioning.captioners.grid_encoder import GridEncoder
from jaxgen.errors import JaxgenError
from jaxgen.nn import batch_axis, ops
from jaxgen.nn.dropout import dropout
from jaxgen.nn.multi_head import KeysAndValues
from jaxgen.nn.precision import exact, rounded
from jaxgen.settings import flag, named, setting

Array = jax.Array
Initializer = nn.initializers.Initializer

_KERNEL = nn.initializers.normal(0.02)


def positional_encoding(steps: int, width: int) -> np.ndarray:
    """Sines (even columns) and cosines (odd columns) of the position, as a NumPy constant.

    Args:
        steps: T.
        width: D.

    Returns:
        (T, D), float64, in [-1, 1].

    Reference:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5.
    """
    columns = np.arange(width)
    angles_TD = np.arange(steps)[:, None] * 10000.0 ** (-(columns - columns % 2) / width)[None]
    return np.where(columns % 2 == 0, np.sin(angles_TD), np.cos(angles_TD))


def _uniform(bound: float) -> Initializer:
    """Initial values within ±bound; PyTorch's dense layers take 1/sqrt(fan in) for both."""
    return lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -bound, bound)


@struct.dataclass
class Cache:
    """What a caption's next step needs of the steps before; all sizes are fixed.

    Beam search reorders rows after every step. The keys and values stay where they were written:
    `slots_RL` says which beam of the same caption wrote each position of a row's history, and is
    all that moves. The memory is the same for all beams of a caption, so it is never repeated.
    """

    memory: list[KeysAndValues]  # of the image, for each layer, (N, H, M, K) each
    past: list[KeysAndValues]  # of the words, for each layer, (N, H, L·B, K) each
    slots_RL: Array
    t: Array  # position of the next word

    @property
    def capacity(self) -> int:
        """How many words fit."""
        return self.slots_RL.shape[1]

    def expand(self, beams: int) -> "Cache":
        """Room for rows n·B + b; to be called before the first step."""
        past = jax.tree.map(lambda x: jnp.repeat(x, beams, axis=2), self.past)  # empty as yet
        return replace(self, past=past, slots_RL=jnp.repeat(self.slots_RL, beams, axis=0))

    def select(self, rows_R: Array) -> "Cache":
        """Let row r go on from the history of row `rows_R[r]`, of the same caption."""
        captions = len(self.past[0][0])
        return replace(self, slots_RL=batch_axis.take(self.slots_RL, rows_R, captions))


class TransformerCaptioner(nn.Module):
    """Transformer decoder over words, with the image's features as memory.

    Calling it returns the scores of a whole caption, `start` and `step` those of a word at a time,
    with keys and values kept:

        logits_NTV = module.apply(params, features, captions_NT, train=False)
        carry = module.apply(params, features, method="start")
        carry, logits_NV = module.apply(params, carry, words_N, method="step")

    Features are (N, D), one memory token, or (N, M, D); each token is projected to the width.
    `train=True` draws dropout from the "dropout" random stream.

    Attributes:
        vocab_size: V, number of words.
        width: of the word vectors and of all layers.
        heads: H, divides the width.
        layers: number of decoder layers.
        feed_forward: width inside the feed-forward blocks.
        max_length: L, longest caption.
        dropout: rate, in [0, 1).
        memory_tokens: read each feature vector (N, D) as this many tokens of D / memory_tokens,
            such as a 4096-wide vector as 8 tokens of 512.
        window: let each word see only this many words, itself included; None for all.
        rank: approximate self-attention with this many random features; None for exact.
        null: the word that pads captions; its vector gets no gradient.
        encoder_layers: layers of self-attention over the memory tokens, before the decoder.
        param_dtype: of the parameters and of the computation.

    Reference:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.
    """

    vocab_size: int
    width: int = setting(256, least=1, most=2**16)
    heads: int = setting(2, least=1, most=2**16)
    layers: int = setting(2, least=1, most=2**10)
    feed_forward: int = setting(2048, least=1, most=2**16)
    max_length: int = 30
    dropout: float = 0.1
    memory_tokens: int = 1
    window: int | None = None
    rank: int | None = None
    null: int = 0
    encoder_layers: int = 0
    param_dtype: Any = jnp.float32

    def setup(self) -> None:
        dtype: dict[str, Any] = {"param_dtype": self.param_dtype, "dot_general": ops.dot_general}
        self.visual_projection = nn.Dense(self.width, kernel_init=_KERNEL, **dtype)
        self.embedding = self.param(
            "embedding", _KERNEL, (self.vocab_size, self.width), self.param_dtype
        )
        self.decoder = [
            DecoderLayer(
                self.width,
                self.heads,
                self.feed_forward,
                self.dropout,
                self.window,
                self.rank,
                self.param_dtype,
                name=f"layers_{i}",
            )
            for i in range(self.layers)
        ]
        if self.encoder_layers:
            self.encoder = GridEncoder(
                self.width,
                self.heads,
                self.feed_forward,
                self.encoder_layers,
                self.dropout,
                self.param_dtype,
            )
        initial = _uniform(self.width**-0.5)
        self.output = nn.Dense(self.vocab_size, kernel_init=initial, bias_init=initial, **dtype)

    def __call__(self, features: Array, captions_NT: Array, train: bool = False) -> Array:
        steps = captions_NT.shape[1]
        if steps > self.max_length:
            raise ValueError(f"captions of {steps} words exceed max_length {self.max_length}")
        memory_NMD = self._memory(features, train)
        positions_TD = self._positions()[:steps]
        x_NTD = rounded(self._embed(captions_NT) + positions_TD[None])
        if train and self.dropout > 0:
            x_NTD = dropout(x_NTD, self.dropout, self.make_rng("dropout"))
        for layer in self.decoder:
            x_NTD = layer(x_NTD, memory_NMD, train)
        return ops.over_rows(self.output, x_NTD)

    def start(self, features: Array) -> Cache:
        """Prepare decoding: project the memory, and make room for `max_length` words."""
        memory_NMD = self._memory(features)
        batch = memory_NMD.shape[0]
        shape = (batch, self.heads, self.max_length, self.width // self.heads)
        empty = jnp.zeros(shape, exact(memory_NMD).dtype)
        return Cache(
            memory=[layer.keep_memory(memory_NMD) for layer in self.decoder],
            past=[(empty, empty) for _ in self.decoder],
            slots_RL=jnp.zeros((batch, self.max_length), jnp.int32),
            t=jnp.int32(0),
        )

    def step(self, cache: Cache, words_R: Array) -> tuple[Cache, Array]:
        """Read one word a row; return the new cache and the scores of the next word, (R, V)."""
        batch, places, t = cache.past[0][0].shape[0], cache.capacity, cache.t
        beams = words_R.shape[0] // batch
        own_R1 = jnp.tile(jnp.arange(beams, dtype=jnp.int32), batch)[:, None]
        slots_RL = jax.lax.dynamic_update_slice_in_dim(cache.slots_RL, own_R1, t, 1)
        wrote_NBLB = (
            slots_RL.reshape(batch, beams, places, 1) == jnp.arange(beams)[None, None, None]
        )
        mask_NBLB = wrote_NBLB & (jnp.arange(places) <= t)[None, None, :, None]

        position_1D = jax.lax.dynamic_slice_in_dim(self._positions(), t, 1)
        x_NBD = rounded(self._embed(words_R.reshape(batch, beams)) + position_1D[None])
        pasts = []
        for layer, memory, past in zip(self.decoder, cache.memory, cache.past, strict=True):
            x_NBD, past = layer.step(x_NBD, memory, past, mask_NBLB, t)
            pasts.append(past)
        logits_RV = self.output(x_NBD.reshape(batch * beams, self.width))
        return replace(cache, past=pasts, slots_RL=slots_RL, t=t + 1), logits_RV

    def _memory(self, features: Array, train: bool = False) -> Array:
        if features.ndim == 2:
            if features.shape[1] % self.memory_tokens:
                raise ValueError(
                    f"features of shape {features.shape} cannot be read as "
                    f"{self.memory_tokens} tokens"
                )
            features = features.reshape(features.shape[0], self.memory_tokens, -1)
        elif features.ndim != 3:
            raise ValueError(f"features must be (N, D) or (N, M, D), got shape {features.shape}")
        features = features.astype(self.param_dtype)
        memory_NMD = rounded(ops.over_rows(self.visual_projection, features))
        return self.encoder(memory_NMD, train) if self.encoder_layers else memory_NMD

    def _embed(self, words: Array) -> Array:
        vectors = self.embedding[words]
        return jnp.where((words == self.null)[..., None], jax.lax.stop_gradient(vectors), vectors)

    def _positions(self) -> Array:
        return jnp.asarray(positional_encoding(self.max_length, self.width), self.param_dtype)


@named("transformer", "jaxgen.models.transformer:Transformer")
@dataclass(frozen=True)
class Transformer(Captioner):
    """A Transformer that attends to the image's features."""

    width: int = 256
    """Of the word vectors and of all layers."""
    heads: int = 2
    """Attention heads; they divide the width."""
    layers: int = 2
    """Decoder layers."""
    feed_forward: int = 2048
    """Width inside the feed-forward blocks."""
    dropout: float = setting(0.1, least=0, below=1)
    """Share that is dropped in training."""
    memory_tokens: int = setting(1, least=1, most=2**14)
    """Read each feature vector as this many tokens."""
    window: int = setting(0, least=0, most=2**14)
    """Let each word see only this many words, itself included; 0 for all."""
    rank: int = setting(0, least=0, most=2**12)
    """Approximate self-attention with this many random features; 0 for exact."""
    encoder_layers: int = setting(0, least=0, most=2**10, before=0)
    """Layers of self-attention over the image's tokens, before the decoder."""

    def module(
        self, vocab_size: int, feature_shape: tuple[int, ...], max_length: int, null: int = 0
    ) -> nn.Module:
        if self.width % self.heads:
            raise JaxgenError(
                f"{flag('captioner.heads')} {self.heads} do not divide {flag('captioner.width')} "
                f"{self.width}"
            )
        if self.window and self.rank:
            raise JaxgenError(
                f"give {flag('captioner.window')} or {flag('captioner.rank')}, not both"
            )
        if len(feature_shape) == 1 and feature_shape[0] % self.memory_tokens:
            raise JaxgenError(
                f"{flag('captioner.memory_tokens')} {self.memory_tokens} do not divide features of "
                f"{feature_shape[0]} numbers"
            )
        return TransformerCaptioner(
            vocab_size,
            self.width,
            self.heads,
            self.layers,
            self.feed_forward,
            max_length,
            self.dropout,
            self.memory_tokens,
            self.window or None,
            self.rank or None,
            null,
            self.encoder_layers,
        )
