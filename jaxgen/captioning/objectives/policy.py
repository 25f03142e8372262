"""The captioner as a policy: captions drawn from it, and how probable it finds them.

The policy is what is drawn from: the captioner's next-word distribution without the words that must
not be emitted, until END or the maximum length. Dropout is off, in the draw and in the probability,
so that both are of the same policy.

N images, K captions of an image, R rows (N·K), L maximum length, V vocabulary.
"""

from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.captioning.decoding.beam_search import expand
from jaxgen.captioning.decoding.captioner_steps import SpecialWords, ban, rows
from jaxgen.captioning.decoding.word_by_word import argmax, decode
from jaxgen.nn import batch_axis

Array = jax.Array
PyTree = Any


class Probability(NamedTuple):
    """How probable captions are."""

    log_NK: Array
    """In nats; of END too, where a caption has one."""
    entropy: Array
    """Mean over their words of the next word's distribution, in nats."""


def draw(
    module: nn.Module,
    params: PyTree,
    features: Array,
    special: SpecialWords,
    max_length: int,
    key: Array,
    samples: int,
    greedy: bool = False,
) -> Array:
    """Captions drawn from the policy.

    Args:
        module: the captioner.
        params: its parameters.
        features: of N images.
        special: the `SpecialWords` of the vocabulary.
        max_length: L.
        key: a JAX random key.
        samples: captions of each image.
        greedy: one caption more, in front, of the most probable words.

    Returns:
        int32 (N, K, L) as decoding gives them: END where it was drawn, then NULL.
    """

    def apply(*args: Any, method: str) -> Any:
        return module.apply({"params": params}, *args, method=method)

    each = samples + greedy
    is_greedy_11 = (jnp.arange(len(features) * each) % each == 0)[:, None] & greedy

    def choose(t: Array, logits_RV: Array) -> Array:
        noise_RV = jax.random.gumbel(jax.random.fold_in(key, t), logits_RV.shape, logits_RV.dtype)
        return argmax(logits_RV + jnp.where(is_greedy_11, 0, batch_axis.split(noise_RV)))

    start, step = apply(features, method="start"), partial(apply, method="step")
    captions = rows(start, max_length)
    words_RL, _ = decode(step, expand(start, each), choose, special, max_length, each * captions)
    return words_RL.reshape(len(features), each, max_length)


def probability(
    module: nn.Module, params: PyTree, features: Array, special: SpecialWords, words_NKL: Array
) -> Probability:
    """How probable the policy finds captions, as a function that can be differentiated.

    Args:
        module: the captioner.
        params: its parameters.
        features: of N images.
        special: the `SpecialWords` of the vocabulary.
        words_NKL: as `draw` gives them.
    """
    start_NK1 = jnp.full_like(words_NKL[..., :1], special.start)
    read_NKL = jnp.concatenate([start_NK1, words_NKL[..., :-1]], axis=2)

    def logits(read_NL: Array) -> Array:
        found: Any = module.apply({"params": params}, features, read_NL)
        return found

    # What reads the image alone runs once for all of its captions.
    logits_NKLV = jax.vmap(logits, 1, 1)(read_NKL)
    size = logits_NKLV.shape[-1]
    allowed_NKLV = ban(logits_NKLV.reshape(-1, size), special).reshape(logits_NKLV.shape)
    log_NKLV = jax.nn.log_softmax(allowed_NKLV)
    is_word_NKL = words_NKL != special.null
    # NULL cannot be drawn: its logarithm is -inf, whose gradient must not arise.
    chosen_NKL = jnp.where(is_word_NKL, words_NKL, special.end)
    word_NKL = jnp.take_along_axis(log_NKLV, chosen_NKL[..., None], axis=3)[..., 0]
    log_NK = jnp.sum(jnp.where(is_word_NKL, word_NKL, 0), axis=2)

    finite_NKLV = jnp.where(jnp.isfinite(log_NKLV), jax.lax.stop_gradient(log_NKLV), 0)
    entropy_NKL = -jnp.sum(jnp.exp(finite_NKLV) * finite_NKLV, axis=3)
    entropy = jnp.sum(jnp.where(is_word_NKL, entropy_NKL, 0)) / jnp.maximum(is_word_NKL.sum(), 1)
    return Probability(log_NK, entropy)
