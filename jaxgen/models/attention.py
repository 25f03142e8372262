"""Multi-head attention: full, over a sliding window, and of low rank.

Shapes: N batch, T queries, S keys, D width, H heads, K width of a head, R features of the low-rank
form, W window, B beams, L places of a cache.

Full attention costs O(T·S). The two causal forms for long sequences cost O(T): a sliding window
sees the last W positions exactly and none before; the low-rank form sees all of the past, but
through R random features, which blurs sharp attention.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgen.models.dropout import dropout

_KERNEL = nn.initializers.normal(0.02)


def causal_mask(steps, window=None):
    """(T, T), true where the query of the row may see the key of the column.

    Args:
        steps: T.
        window: W, how many keys up to its own position a query sees; None for all.
    """
    mask_TT = np.tril(np.ones((steps, steps), bool))
    return mask_TT if window is None else mask_TT & ~np.tril(mask_TT, -window)


def attention_weights(q_NTHK, k_NSHK, mask=None):
    """softmax(q k / sqrt(K)) over the keys.

    Args:
        q_NTHK: queries.
        k_NSHK: keys.
        mask: booleans that broadcast to (N, H, T, S); false forbids. At least one key a query
            must be allowed, or the query sees all of them alike.

    Returns:
        (N, H, T, S), rows summing to 1.

    Reference:
        Vaswani et al., Attention is all you need, 2017, equation 1.
    """
    q_NTHK = q_NTHK * q_NTHK.shape[-1] ** -0.5
    return _masked_softmax(jnp.einsum("nthk,nshk->nhts", q_NTHK, k_NSHK), mask)


def _masked_softmax(scores_NHTS, mask):
    if mask is not None:
        mask = jnp.broadcast_to(mask, scores_NHTS.shape)
        scores_NHTS = jnp.where(mask, scores_NHTS, jnp.finfo(scores_NHTS.dtype).min)
    return jax.nn.softmax(scores_NHTS, axis=-1)


def full_attention(q_NTHK, k_NSHK, v_NSHK, mask=None, rate=0.0, key=None):
    """Attention over all keys that `mask` allows; see `attention_weights`.

    Args:
        q_NTHK: queries.
        k_NSHK: keys.
        v_NSHK: values.
        mask: booleans that broadcast to (N, H, T, S); false forbids.
        rate: of dropout on the weights.
        key: a JAX random key for it, or None for no dropout.

    Returns:
        (N, T, H, K).
    """
    weights_NHTS = dropout(attention_weights(q_NTHK, k_NSHK, mask), rate, key)
    return jnp.einsum("nhts,nshk->nthk", weights_NHTS, v_NSHK)


def window_attention(q_NTHK, k_NTHK, v_NTHK, window, rate=0.0, key=None):
    """Causal attention of each position to itself and the `window` - 1 before it, in O(T·W).

    The sequence is cut into blocks of W positions, whose keys are in their own block or the one
    before; with a window of T or more it is full causal attention.

    Args:
        q_NTHK: queries.
        k_NTHK: keys.
        v_NTHK: values.
        window: W, at least 1.
        rate: of dropout on the weights.
        key: a JAX random key for it, or None for no dropout.

    Returns:
        (N, T, H, K).

    Reference:
        Beltagy et al., Longformer, 2020.
    """
    batch, steps, heads, width = q_NTHK.shape
    window = min(window, steps)
    blocks = -(-steps // window)

    def split(x_NTHK):
        padding = ((0, 0), (0, blocks * window - steps), (0, 0), (0, 0))
        return jnp.pad(x_NTHK, padding).reshape(batch, blocks, window, heads, width)

    def with_previous(x):
        previous = jnp.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0), (0, 0)))[:, :-1]
        return jnp.concatenate([previous, x], axis=2).reshape(-1, 2 * window, heads, width)

    offset = np.arange(window)[:, None] - np.arange(-window, window)[None]
    mask = np.broadcast_to((offset >= 0) & (offset < window), (blocks, window, 2 * window)).copy()
    mask[0, :, :window] = False  # before the first block there is nothing
    mask = np.tile(mask[:, None], (batch, 1, 1, 1))
    out = full_attention(
        split(q_NTHK).reshape(-1, window, heads, width),
        with_previous(split(k_NTHK)),
        with_previous(split(v_NTHK)),
        mask,
        rate,
        key,
    )
    return out.reshape(batch, blocks * window, heads, width)[:, :steps]


def random_features(x_NTHK, rank):
    """Positive features whose products approximate exp(q k / sqrt(K)).

    Args:
        x_NTHK: queries or keys.
        rank: R, how many features; the error falls as 1 / sqrt(R).

    Returns:
        (N, T, H, R), positive. Each depends on its own position alone (no maximum over time is
        subtracted), so that causality is exact.

    Reference:
        Choromanski et al., Rethinking attention with Performers, ICLR 2021, lemma 1 and section 2.4
        (orthogonal directions).
    """
    width = x_NTHK.shape[-1]
    rng = np.random.default_rng(0)
    squares = [_random_rotation(rng, width) for _ in range(-(-rank // width))]
    lengths = np.linalg.norm(rng.normal(size=(rank, width)), axis=1)
    directions_KR = (np.concatenate(squares)[:rank] * lengths[:, None]).T
    x_NTHK = x_NTHK * width**-0.25
    norm_NTH1 = jnp.sum(x_NTHK * x_NTHK, axis=-1, keepdims=True) / 2
    projected_NTHR = x_NTHK @ directions_KR.astype(x_NTHK.dtype)
    # Bounded on both sides, so that products summed over time neither overflow nor vanish.
    return jnp.exp(jnp.minimum(projected_NTHR - norm_NTH1, 30)) + 1e-6


def _random_rotation(rng, width):
    """Uniformly distributed: QR alone fixes signs, which would bias the features."""
    q, r = np.linalg.qr(rng.normal(size=(width, width)))
    return q * np.sign(np.diag(r))


def low_rank_attention(q_NTHK, k_NTHK, v_NTHK, rank, block=64):
    """Causal attention with weights φ(q)·φ(k), normalised, in O(T·(R + block)).

    The past before a block is summed up in one matrix of R x K a head; within the block the
    weights are formed. (Linformer's projection of the time axis would mix future keys into it.)

    Args:
        q_NTHK: queries.
        k_NTHK: keys.
        v_NTHK: values.
        rank: R, number of `random_features`.
        block: positions handled at once; changes cost, not the result.

    Returns:
        (N, T, H, K).

    Reference:
        Choromanski et al., 2021; the blocks follow Hua et al., Transformer quality in linear
        time, ICML 2022.
    """
    steps = q_NTHK.shape[1]
    block = min(block, steps)
    blocks = -(-steps // block)
    ones = jnp.ones_like(v_NTHK[..., :1])  # sums the weights beside the weighted values

    def split(x):
        x = jnp.pad(x, ((0, 0), (0, blocks * block - steps), (0, 0), (0, 0)))
        return x.reshape(x.shape[0], blocks, block, *x.shape[2:]).swapaxes(0, 1)

    mask = causal_mask(block)[None, None]

    def one_block(past_NHRK, inputs):
        q, k, v = inputs
        weights_NHTS = jnp.where(mask, jnp.einsum("nthr,nshr->nhts", q, k), 0)
        inside = jnp.einsum("nhts,nshk->nthk", weights_NHTS, v)
        out = inside + jnp.einsum("nthr,nhrk->nthk", q, past_NHRK)
        return past_NHRK + jnp.einsum("nshr,nshk->nhrk", k, v), out

    q, k = random_features(q_NTHK, rank), random_features(k_NTHK, rank)
    v = jnp.concatenate([v_NTHK, ones], axis=-1)
    past = jnp.zeros((q.shape[0], q.shape[2], rank, v.shape[-1]), q.dtype)
    _, out = jax.lax.scan(one_block, past, (split(q), split(k), split(v)))
    out = out.swapaxes(0, 1).reshape(q.shape[0], -1, *v.shape[2:])[:, :steps]
    return out[..., :-1] / out[..., -1:]


class _Affine(nn.Module):
    """A dense layer that shows its parameters, so that several can be joined in one product."""

    width: int
    param_dtype: Any

    def setup(self):
        self.kernel = self.param("kernel", _KERNEL, (self.width, self.width), self.param_dtype)
        self.bias = self.param("bias", nn.initializers.zeros, (self.width,), self.param_dtype)

    def __call__(self, x_NTD):
        return x_NTD @ self.kernel + self.bias[None, None, :]


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

    def setup(self):
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        if self.window is not None and self.rank is not None:
            raise ValueError("attention has either a window or a rank, not both")
        for name in ("query", "key", "value", "proj"):
            setattr(self, name, _Affine(self.width, self.param_dtype))

    def __call__(self, x_NTD, other_NSD, mask=None, deterministic=True):
        """Let `x_NTD` attend to `other_NSD`; `mask` broadcasts to (N, H, T, S), false forbids."""
        return self.attend_memory(x_NTD, self.project_memory(other_NSD), mask, deterministic)

    def project_memory(self, other_NSD):
        """Keys and values of `other_NSD`, (N, S, H, K) each, for `attend_memory`."""
        return self._heads(self.key(other_NSD)), self._heads(self.value(other_NSD))

    def attend_memory(self, x_NTD, memory, mask=None, deterministic=True):
        """Let `x_NTD` attend to keys and values that `project_memory` gave.

        The weights (N, H, T, S) are recorded as "weights" in the collection "intermediates".
        """
        k_NSHK, v_NSHK = memory
        q_NTHK = self._heads(self.query(x_NTD))
        if k_NSHK.shape[1] == 1 and mask is None:
            # A single key has weight 1 whatever the query, which the compiler then leaves out.
            weights_NHTS = jnp.ones((len(x_NTD), self.heads, x_NTD.shape[1], 1), x_NTD.dtype)
        else:
            weights_NHTS = attention_weights(q_NTHK, k_NSHK, mask)
        self.sow("intermediates", "weights", weights_NHTS)
        weights_NHTS = dropout(weights_NHTS, self.dropout, self._key(deterministic))
        return self._merge(jnp.einsum("nhts,nshk->nthk", weights_NHTS, v_NSHK))

    def attend_past(self, x_NTD, deterministic=True):
        """Causal self-attention of a whole sequence, in the form that the fields choose."""
        q, k, v = self._project_self(x_NTD)
        key = self._key(deterministic)
        if self.rank is not None:
            out_NTHK = low_rank_attention(q, k, v, self.rank)
        elif self.window is not None:
            out_NTHK = window_attention(q, k, v, self.window, self.dropout, key)
        else:
            mask = causal_mask(x_NTD.shape[1])[None, None]
            out_NTHK = full_attention(q, k, v, mask, self.dropout, key)
        return self._merge(out_NTHK)

    def attend_cache(self, x_NBD, cache, mask_NBBL, t):
        """Causal self-attention of one new position, with and into a cache.

        Args:
            x_NBD: position t of each beam.
            cache: keys and values so far, (N, H, B, L, K) each.
            mask_NBBL: which places each beam's history consists of, place t of its own included.
            t: position, a scalar integer below L.

        Returns:
            The result (N, B, D) and the cache with place t filled.
        """
        new = self._project_self(x_NBD)
        q_NBHK, (k, v) = new[0], new[1:]
        cache = tuple(
            jax.lax.dynamic_update_slice(
                old, x.swapaxes(1, 2)[:, :, :, None].astype(old.dtype), (0, 0, 0, t, 0)
            )
            for old, x in zip(cache, (k, v), strict=True)
        )
        batch, heads, beams, places, width = cache[0].shape
        k_NHSK, v_NHSK = (x.reshape(batch, heads, beams * places, width) for x in cache)
        if self.window is not None:
            mask_NBBL = mask_NBBL & (jnp.arange(places) > t - self.window)[None, None, None]
        mask_N1BS = mask_NBBL.reshape(batch, 1, beams, beams * places)
        if self.rank is None:
            q_NBHK = q_NBHK * width**-0.5
            weights = _masked_softmax(jnp.einsum("nbhk,nhsk->nhbs", q_NBHK, k_NHSK), mask_N1BS)
        else:
            q_NBHR = random_features(q_NBHK, self.rank)
            k_NHSR = random_features(k_NHSK, self.rank)
            weights = jnp.where(mask_N1BS, jnp.einsum("nbhr,nhsr->nhbs", q_NBHR, k_NHSR), 0)
            weights = weights / jnp.sum(weights, axis=-1, keepdims=True)
        return self._merge(jnp.einsum("nhbs,nhsk->nbhk", weights, v_NHSK)), cache

    def _project_self(self, x_NTD):
        """Queries, keys and values of the same input, in one matrix product."""
        layers = (self.query, self.key, self.value)
        kernel = jnp.concatenate([layer.kernel for layer in layers], axis=1)
        bias = jnp.concatenate([layer.bias for layer in layers])
        joined = x_NTD @ kernel + bias[None, None, :]
        return [self._heads(x) for x in jnp.split(joined, 3, axis=-1)]

    def _heads(self, x_NTD):
        return x_NTD.reshape(*x_NTD.shape[:2], self.heads, self.width // self.heads)

    def _merge(self, x_NTHK):
        return self.proj(x_NTHK.reshape(*x_NTHK.shape[:2], self.width))

    def _key(self, deterministic):
        return None if deterministic or self.dropout == 0 else self.make_rng("dropout")
