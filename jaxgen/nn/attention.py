"""Scaled dot-product attention over all keys that a mask allows.

Shapes: N batch, T queries, S keys, H heads, K width of a head.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn import ops
from jaxgen.nn.dropout import dropout
from jaxgen.nn.precision import rounded

Array = jax.Array
Mask = Array | np.ndarray | None
"""Booleans, false where attention is forbidden; None where nothing is."""


def causal_mask(steps: int, window: int | None = None) -> np.ndarray:
    """(T, T), true where the query of the row may see the key of the column.

    Args:
        steps: T.
        window: W, how many keys a query sees, that of its own position included; None for all.
    """
    mask_TT = np.tril(np.ones((steps, steps), bool))
    return mask_TT if window is None else mask_TT & ~np.tril(mask_TT, -window)


def attention_weights(q_NTHK: Array, k_NSHK: Array, mask: Mask = None) -> Array:
    """softmax(q k / sqrt(K)) over the keys.

    Args:
        q_NTHK: queries.
        k_NSHK: keys.
        mask: booleans that broadcast to (N, H, T, S); false forbids. A query
            without any allowed key sees all of them alike.

    Returns:
        (N, H, T, S), rows summing to 1.

    Reference:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, equation 1.
    """
    q_NTHK = q_NTHK * q_NTHK.shape[-1] ** -0.5
    return masked_softmax(ops.einsum("nthk,nshk->nhts", q_NTHK, k_NSHK), mask)


def masked_softmax(scores_NHTS: Array, mask: Mask) -> Array:
    """Softmax over the last axis of what `mask` allows; it broadcasts, None allows all."""
    if mask is not None:
        mask = jnp.broadcast_to(mask, scores_NHTS.shape)
        scores_NHTS = jnp.where(mask, scores_NHTS, jnp.finfo(scores_NHTS.dtype).min)
    return jax.nn.softmax(scores_NHTS, axis=-1)


def full_attention(
    q_NTHK: Array,
    k_NSHK: Array,
    v_NSHK: Array,
    mask: Mask = None,
    rate: float = 0.0,
    key: Array | None = None,
) -> Array:
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
    return rounded(ops.einsum("nhts,nshk->nthk", weights_NHTS, v_NSHK))
