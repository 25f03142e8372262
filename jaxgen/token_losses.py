"""Masked cross-entropy of captions, per token, and its named reductions.

Shapes: N batch, T time, V vocabulary. A token that is NULL in the targets is padding: it costs
nothing and gives no gradient.
"""

import jax
import jax.numpy as jnp


def token_cross_entropy(logits_NTV, targets_NT, null=0):
    """Softmax cross-entropy of each token; zero where the target is NULL.

    Args:
        logits_NTV: unnormalised scores, floats.
        targets_NT: the right words, integers in [0, V).
        null: the word that pads captions.

    Returns:
        (N, T), in nats, never negative.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if logits_NTV.ndim != 3 or logits_NTV.shape[:2] != targets_NT.shape:
        raise ValueError(
            "logits (N, T, V) and targets (N, T) must agree in N and T, got shapes "
            f"{logits_NTV.shape} and {targets_NT.shape}"
        )
    right_NT = jnp.take_along_axis(logits_NTV, targets_NT[..., None], axis=-1)[..., 0]
    loss_NT = jax.nn.logsumexp(logits_NTV, axis=-1) - right_NT
    return jnp.where(targets_NT != null, loss_NT, 0)


def sum_over_time(loss_NT, targets_NT, null=0):
    """Sum over each caption's tokens, mean over the batch: the recurrent captioners' loss.

    Args:
        loss_NT: `token_cross_entropy`.
        targets_NT: the targets it was computed with.
        null: the word that pads captions.

    Returns:
        A scalar, nats per caption.
    """
    return _masked_sum(loss_NT, targets_NT, null) / loss_NT.shape[0]


def mean_over_tokens(loss_NT, targets_NT, null=0):
    """Mean over real tokens, padding not counted; its exponential is the perplexity.

    Args:
        loss_NT: `token_cross_entropy`.
        targets_NT: the targets it was computed with.
        null: the word that pads captions.

    Returns:
        A scalar, nats per token; 0 if there is no real token.
    """
    tokens = jnp.sum(targets_NT != null).astype(loss_NT.dtype)
    return _masked_sum(loss_NT, targets_NT, null) / jnp.maximum(tokens, 1)


def mean_over_positions(loss_NT, targets_NT, null=0):
    """Sum of the token losses divided by all N·T positions, padding included.

    This is how the notebook reports its Transformer; it depends on how much padding there is.

    Args:
        loss_NT: `token_cross_entropy`.
        targets_NT: the targets it was computed with.
        null: the word that pads captions.

    Returns:
        A scalar, nats per position.
    """
    return _masked_sum(loss_NT, targets_NT, null) / loss_NT.size


def _masked_sum(loss_NT, targets_NT, null):
    if loss_NT.shape != targets_NT.shape:
        raise ValueError(
            f"losses and targets must have the same shape, got {loss_NT.shape} and "
            f"{targets_NT.shape}"
        )
    return jnp.sum(jnp.where(targets_NT != null, loss_NT, 0))
