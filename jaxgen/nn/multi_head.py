"""Multi-head attention as a Flax module, for whole sequences and step by step with a cache.

Shapes: N batch, T queries, S keys, D width, H heads, K width of a head, R features of the low-rank
form, M memory tokens, B beams, L places of a cache (S = L·B).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.nn import ops
from jaxgen.nn.attention import (
    Mask,
    attention_weights,
    causal_mask,
    full_attention,
    masked_softmax,
)
from jaxgen.nn.cheap_attention import low_rank_attention, random_features, window_attention
from jaxgen.nn.dropout import dropout
from jaxgen.nn.precision import exact, rounded

Array = jax.Array
KeysAndValues = tuple[Array, Array]

_KERNEL = nn.initializers.normal(0.02)


class _Affine(nn.Module):
    """A dense layer that shows its parameters, so that several can be joined in one product."""

    width: int
    param_dtype: Any

    def setup(self) -> None:
        self.kernel = self.param("kernel", _KERNEL, (self.width, self.width), self.param_dtype)
        self.bias = self.param("bias", nn.initializers.zeros, (self.width,), self.param_dtype)

    def __call__(self, x_NTD: Array) -> Array:
        return rounded(ops.matmul(x_NTD, self.kernel) + self.bias[None, None, :])


class MultiHeadAttention(nn.Module):
    """Attention with projections of queries, keys, values and of the result, biases everywhere.

    Attributes:
        width: D.
        heads: H, divides D.
        dropout: rate on the attention weights (low-rank attention has none).
        window: W of `window_attention` for causal attention, or None.
        rank: R of `low_rank_attention` for causal attention, or None.
        param_dtype: of the parameters and of the computation.
    """

    width: int
    heads: int
    dropout: float = 0.1
    window: int | None = None
    rank: int | None = None
    param_dtype: Any = jnp.float32

    def setup(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        if self.window is not None and self.rank is not None:
            raise ValueError("attention has either a window or a rank, not both")
        for name in ("query", "key", "value", "proj"):
            setattr(self, name, _Affine(self.width, self.param_dtype))

    def __call__(
        self, x_NTD: Array, other_NSD: Array, mask: Mask = None, train: bool = False
    ) -> Array:
        """Let `x_NTD` attend to `other_NSD`; `mask` broadcasts to (N, H, T, S), false forbids."""
        return self.attend_memory(x_NTD, self.project_memory(other_NSD), mask, train)

    def project_memory(self, other_NSD: Array) -> KeysAndValues:
        """Keys and values of `other_NSD`, (N, S, H, K) each, for `attend_memory`."""
        return self._heads(self.key(other_NSD)), self._heads(self.value(other_NSD))

    def attend_memory(
        self, x_NTD: Array, memory: KeysAndValues, mask: Mask = None, train: bool = False
    ) -> Array:
        """Let `x_NTD` attend to keys and values that `project_memory` gave.

        The weights (N, H, T, S) are recorded as "weights" in the collection "intermediates".
        """
        k_NSHK, v_NSHK = memory
        q_NTHK = self._heads(self.query(x_NTD))
        if k_NSHK.shape[1] == 1 and mask is None:
            # A single key has weight 1 whatever the query, which the compiler then leaves out.
            n, steps = x_NTD.shape[:2]
            weights_NHTS = jnp.ones((n, self.heads, steps, 1), x_NTD.dtype)
        else:
            weights_NHTS = attention_weights(q_NTHK, k_NSHK, mask)
        self.sow("intermediates", "weights", weights_NHTS)
        weights_NHTS = dropout(weights_NHTS, self.dropout, self._key(train))
        return self._merge(ops.einsum("nhts,nshk->nthk", weights_NHTS, v_NSHK))

    def keep_memory(self, other_NSD: Array) -> KeysAndValues:
        """`project_memory` for `attend_kept`: (N, H, S, K) each, in float32.

        Products of single positions read heads by heads; in the other order each of them would
        turn the whole memory.
        """
        keys, values = self.project_memory(other_NSD)
        return exact(keys).swapaxes(1, 2), exact(values).swapaxes(1, 2)

    def attend_kept(self, x_NBD: Array, memory: KeysAndValues) -> Array:
        """`attend_memory` of one position of each beam, to what `keep_memory` gave.

        One beam after the other, as in `attend_cache`.
        """
        k_NHSK, v_NHSK = memory
        q_NBHK = self._heads(self.query(x_NBD)) * k_NHSK.shape[-1] ** -0.5
        if k_NHSK.shape[2] == 1:  # as in `attend_memory`
            shape = x_NBD.shape[0], self.heads, x_NBD.shape[1], 1
            weights_NHBS = jnp.ones(shape, x_NBD.dtype)
        else:
            each = [ops.einsum("nhk,nhsk->nhs", q, k_NHSK) for q in q_NBHK.swapaxes(0, 1)]
            weights_NHBS = masked_softmax(jnp.stack(each, axis=2), None)
        self.sow("intermediates", "weights", weights_NHBS)
        each = [ops.einsum("nhs,nhsk->nhk", w, v_NHSK) for w in jnp.moveaxis(weights_NHBS, 2, 0)]
        return self._merge(jnp.stack(each, axis=1))

    def attend_past(self, x_NTD: Array, train: bool = False) -> Array:
        """Causal self-attention of a whole sequence, in the form that the fields choose."""
        q, k, v = self._project_self(x_NTD)
        key = self._key(train)
        if self.rank is not None:
            out_NTHK = low_rank_attention(q, k, v, self.rank)
        elif self.window is not None:
            out_NTHK = window_attention(q, k, v, self.window, self.dropout, key)
        else:
            mask = causal_mask(x_NTD.shape[1])[None, None]
            out_NTHK = full_attention(q, k, v, mask, self.dropout, key)
        return self._merge(out_NTHK)

    def attend_all(self, x_NTD: Array, train: bool = False) -> Array:
        """Self-attention in which each position sees all others, and records nothing."""
        q, k, v = self._project_self(x_NTD)
        return self._merge(full_attention(q, k, v, None, self.dropout, self._key(train)))

    def attend_cache(
        self, x_NBD: Array, cache: KeysAndValues, mask_NBLB: Array, t: int | Array
    ) -> tuple[Array, KeysAndValues]:
        """Causal self-attention of one new position, which reads a cache and is written to it.

        Args:
            x_NBD: position t of each beam.
            cache: keys and values so far, (N, H, L·B, K) each: the beams of a place are adjacent.
            mask_NBLB: which entries form each beam's history, by place and by the beam that wrote
                them, its own at place t included.
            t: position, a scalar integer below L.

        Returns:
            The result (N, B, D) and the cache with place t filled.
        """
        q_NBHK, *new = self._project_self(x_NBD)
        batch, beams, places = mask_NBLB.shape[:3]
        # The products below read the cache in the shape that it is kept in: with a reshape between,
        # XLA's CPU backend updates a copy for each of its readers.
        k_NHSK, v_NHSK = (
            jax.lax.dynamic_update_slice_in_dim(
                old, x_NBHK.swapaxes(1, 2).astype(old.dtype), t * beams, axis=2
            )
            for old, x_NBHK in zip(cache, new, strict=True)
        )
        cache = k_NHSK, v_NHSK
        if self.window is not None:
            mask_NBLB = mask_NBLB & (jnp.arange(places) > t - self.window)[None, None, :, None]
        mask_NBS = mask_NBLB.reshape(batch, beams, places * beams)
        if self.rank is None:
            q_NBHK = q_NBHK * k_NHSK.shape[-1] ** -0.5
        else:
            q_NBHK = random_features(q_NBHK, self.rank)
            k_NHSK = random_features(k_NHSK, self.rank)

        def attend(q_NHK: Array, mask_NS: Array) -> Array:
            scores_NHS = ops.einsum("nhk,nhsk->nhs", q_NHK, k_NHSK)
            if self.rank is None:
                weights_NHS = masked_softmax(scores_NHS, mask_NS[:, None])
            else:
                weights_NHS = jnp.where(mask_NS[:, None], scores_NHS, 0)
                weights_NHS = weights_NHS / jnp.sum(weights_NHS, axis=-1, keepdims=True)
            return ops.einsum("nhs,nhsk->nhk", weights_NHS, v_NHSK)

        # One beam after the other: products of a vector each, where XLA's CPU backend takes 1.6
        # times as long for matrices of as few rows as there are beams.
        attended = [attend(q_NBHK[:, beam], mask_NBS[:, beam]) for beam in range(beams)]
        return self._merge(jnp.stack(attended, axis=1)), cache

    def _project_self(self, x_NTD: Array) -> list[Array]:
        """Queries, keys and values of the same input, in one matrix product."""
        layers = (self.query, self.key, self.value)
        kernel = jnp.concatenate([layer.kernel for layer in layers], axis=1)
        bias = jnp.concatenate([layer.bias for layer in layers])
        joined = rounded(ops.matmul(x_NTD, kernel) + bias[None, None, :])
        return [self._heads(x) for x in jnp.split(joined, 3, axis=-1)]

    def _heads(self, x_NTD: Array) -> Array:
        return x_NTD.reshape(*x_NTD.shape[:2], self.heads, self.width // self.heads)

    def _merge(self, x_NTHK: Array) -> Array:
        return self.proj(x_NTHK.reshape(*x_NTHK.shape[:2], self.width))

    def _key(self, train: bool) -> Array | None:
        return None if not train or self.dropout == 0 else self.make_rng("dropout")
