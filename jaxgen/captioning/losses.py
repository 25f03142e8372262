"""The masked cross-entropy of captions, and how a batch of it becomes one number.

N batch, T time, V vocabulary. To add a reduction, add a `Reduction` here or in a file of your own:
the command line (`--loss NAME`) finds it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.settings import Choice

Array = jax.Array
ArrayLike = jax.Array | np.ndarray
PyTree = Any


def token_cross_entropy(
    logits_NTV: Array, targets_NT: Array, null: int = 0, smoothing: float = 0.0
) -> Array:
    """Softmax cross-entropy of each token; zero, and without gradient, where the target is NULL.

    Args:
        logits_NTV: unnormalised scores, floats.
        targets_NT: the right words, integers in [0, V).
        null: the word that pads captions.
        smoothing: the share of a target's probability that all V words get alike, in [0, 1)
            (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7).

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
    if smoothing:
        right_NT = (1 - smoothing) * right_NT + smoothing * jnp.mean(logits_NTV, axis=-1)
    loss_NT = jax.nn.logsumexp(logits_NTV, axis=-1) - right_NT
    return jnp.where(targets_NT != null, loss_NT, 0)


def caption_token_losses(
    module: nn.Module,
    params: PyTree,
    batch: dict[str, Array],
    null: int,
    *,
    smoothing: float = 0.0,
    read_NT: Array | None = None,
    train: bool = False,
    **options: Any,
) -> tuple[Array, Array]:
    """The loss of each token of captions after the first, and these tokens.

    Args:
        module: a captioner, as `jaxgen.captioning.captioners.base.Captioner.module` describes it.
        params: its parameters.
        batch: `captions` int32 (N, T) and `features` float (N, ...) of their images.
        null: the word that pads captions.
        smoothing: as for `token_cross_entropy`.
        read_NT: what the captioner reads, (N, T - 1), if not the captions themselves.
        train: whether it draws dropout, from `rngs` in the options.
        **options: of `module.apply`.

    Returns:
        The losses (N, T - 1) as `token_cross_entropy` returns them, and the targets (N, T - 1).
        What the captioner adds to its collection "losses" when it trains, nats of each caption
        (N,), is counted with the first token, so that any `Reduction` weighs it as it weighs words.
    """
    given_NT, targets_NT = batch["captions"][:, :-1], batch["captions"][:, 1:]
    read_NT = given_NT if read_NT is None else read_NT
    applied: Any = module.apply(
        {"params": params}, batch["features"], read_NT, train=train, mutable="losses", **options
    )
    logits_NTV, terms = applied
    loss_NT = token_cross_entropy(logits_NTV, targets_NT, null, smoothing)
    for term_N in jax.tree.leaves(terms):
        loss_NT = loss_NT.at[:, 0].add(term_N)
    return loss_NT, targets_NT


@dataclass(frozen=True)
class Reduction(Choice):
    """How the losses of a batch's tokens become one number: their sum, divided by something."""

    divisor: Callable[[ArrayLike], int | ArrayLike]
    """(N, T), true where a token is real -> what the sum is divided by."""

    def __call__(self, loss_NT: ArrayLike, targets_NT: ArrayLike, null: int = 0) -> Array:
        """Reduce `token_cross_entropy`, given the targets it was computed with, to a scalar."""
        if loss_NT.shape != targets_NT.shape:
            raise ValueError(
                f"losses and targets must have the same shape, got {loss_NT.shape} and "
                f"{targets_NT.shape}"
            )
        is_real_NT = targets_NT != null
        return jnp.sum(jnp.where(is_real_NT, loss_NT, 0)) / self.divisor(is_real_NT)


sum_over_time = Reduction(lambda is_real_NT: is_real_NT.shape[0])
"""Sum over each caption's tokens, mean over the batch: nats per caption."""

mean_over_tokens = Reduction(lambda is_real_NT: jnp.maximum(is_real_NT.sum(), 1))
"""Mean over real tokens, padding not counted; its exponential is the perplexity."""

mean_over_positions = Reduction(lambda is_real_NT: is_real_NT.size)
"""The sum divided by all N·T positions, padding included, as the notebook reports its Transformer;
it depends on how much padding there is."""
