"""Causal self-attention in O(T): over a sliding window, and of low rank.

Shapes: N batch, T positions, S keys, H heads, K width of a head, V width with the sum of weights
beside it, R features of the low-rank form, W window.

A sliding window sees the last W positions exactly and none before; the low-rank form sees all of
the past, but through R random features, which blurs sharp attention.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn.attention import causal_mask, full_attention

Array = jax.Array


def window_attention(
    q_NTHK: Array,
    k_NTHK: Array,
    v_NTHK: Array,
    window: int,
    rate: float = 0.0,
    key: Array | None = None,
) -> Array:
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
        Beltagy et al. 2020 (Longformer), https://arxiv.org/abs/2004.05150.
    """
    batch, steps, heads, width = q_NTHK.shape
    window = min(window, steps)
    blocks = -(-steps // window)

    def split(x_NTHK: Array) -> Array:
        padding = ((0, 0), (0, blocks * window - steps), (0, 0), (0, 0))
        return jnp.pad(x_NTHK, padding).reshape(batch, blocks, window, heads, width)

    def with_previous(x: Array) -> Array:
        previous = jnp.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0), (0, 0)))[:, :-1]
        return jnp.concatenate([previous, x], axis=2).reshape(-1, 2 * window, heads, width)

    offset = np.arange(window)[:, None] - np.arange(-window, window)[None]
    mask = np.broadcast_to((offset >= 0) & (offset < window), (blocks, window, 2 * window)).copy()
    mask[0, :, :window] = False  # nothing comes before the first block
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


def random_features(x_NTHK: Array, rank: int) -> Array:
    """Positive features whose products approximate exp(q k / sqrt(K)).

    Args:
        x_NTHK: queries or keys.
        rank: R, how many features; the error falls as 1 / sqrt(R).

    Returns:
        (N, T, H, R), positive. Each depends on its own position alone (no maximum over time is
        subtracted), so that causality is exact.

    Reference:
        Choromanski et al. 2021 (Performer), https://arxiv.org/abs/2009.14794, lemma 1 and section
        2.4 (orthogonal directions).
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


def _random_rotation(rng: np.random.Generator, width: int) -> np.ndarray:
    """A uniformly distributed rotation: QR alone fixes signs, which would bias the features."""
    q, r = np.linalg.qr(rng.normal(size=(width, width)))
    return q * np.sign(np.diag(r))


def low_rank_attention(
    q_NTHK: Array, k_NTHK: Array, v_NTHK: Array, rank: int, block: int = 64
) -> Array:
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
        Choromanski et al. 2021, https://arxiv.org/abs/2009.14794; the blocks follow Hua et al.
        2022, https://arxiv.org/abs/2202.10447.
    """
    steps = q_NTHK.shape[1]
    block = min(block, steps)
    blocks = -(-steps // block)
    ones = jnp.ones_like(v_NTHK[..., :1])  # sums the weights beside the weighted values

    def split(x: Array) -> Array:
        x = jnp.pad(x, ((0, 0), (0, blocks * block - steps), (0, 0), (0, 0)))
        return x.reshape(x.shape[0], blocks, block, *x.shape[2:]).swapaxes(0, 1)

    mask = causal_mask(block)[None, None]

    def one_block(past_NHRK: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
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
