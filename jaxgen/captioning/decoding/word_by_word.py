"""Decoding word by word: the most probable word each time, or words drawn at random.

Shapes: N captions, V vocabulary, L maximum length. The package's docstring
says what a captioner is, and what is returned.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen.captioning.decoding.captioner_steps import (
    PyTree,
    SpecialWords,
    Step,
    ban,
    logits_dtype,
    rows,
)

Array = jax.Array


def greedy(
    step: Step, carry: PyTree, special: SpecialWords, max_length: int
) -> tuple[Array, Array]:
    """Take the most probable word each time.

    Args:
        step: the captioner's `step(carry, words_N) -> (carry, logits_NV)`.
        carry: what the captioner starts from, for N captions.
        special: the `SpecialWords` of the vocabulary.
        max_length: L, at least 1.

    Returns:
        words (N, L), int32, and their log-probability (N,).
    """

    def choose(t: Array, logits_NV: Array) -> Array:
        del t
        return argmax(logits_NV)

    return decode(step, carry, choose, special, max_length)


def argmax(logits_NV: Array) -> Array:
    """The first of the largest scores, as `jnp.argmax` finds it where none is NaN.

    `jnp.argmax` reduces pairs, which XLA's CPU backend does not vectorise: a thirtieth of decoding.
    """
    words_V = jnp.arange(logits_NV.shape[1], dtype=jnp.int32)
    is_largest_NV = logits_NV == jnp.max(logits_NV, axis=1, keepdims=True)
    return jnp.min(jnp.where(is_largest_NV, words_V, words_V[-1]), axis=1)


def sample(
    step: Step,
    carry: PyTree,
    special: SpecialWords,
    max_length: int,
    key: Array,
    temperature: float | Array = 1.0,
    top_k: int | None = None,
    top_p: float | Array | None = None,
) -> tuple[Array, Array]:
    """Draw each word at random, optionally from the most probable ones only.

    Args:
        step: the captioner's `step(carry, words_N) -> (carry, logits_NV)`.
        carry: what the captioner starts from, for N captions.
        special: the `SpecialWords` of the vocabulary.
        max_length: L, at least 1.
        key: a JAX random key.
        temperature: > 0; divides the logits, so that small values approach greedy decoding.
        top_k: draw from the k most probable words only; at least 1.
        top_p: draw from the smallest set of most probable words that together reach this
            probability, in (0, 1]; with `top_k`, from what that leaves.

    Returns:
        words (N, L), int32, and their log-probability (N,).

    Raises:
        ValueError: a number is out of its range.

    Reference:
        Fan et al. 2018, https://arxiv.org/abs/1805.04833 (top-k); Holtzman et al. 2020,
        https://arxiv.org/abs/1904.09751 (top-p).
    """
    if not isinstance(temperature, jax.Array) and temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}; use greedy for 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not isinstance(top_p, jax.Array) and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")

    def choose(t: Array, logits_NV: Array) -> Array:
        logits_NV = logits_NV / temperature
        if top_k is not None:
            logits_NV = keep_top_k(logits_NV, top_k)
        if top_p is not None:
            logits_NV = keep_top_p(logits_NV, top_p)
        return jax.random.categorical(jax.random.fold_in(key, t), logits_NV)

    return decode(step, carry, choose, special, max_length)


def keep_top_k(logits_NV: Array, k: int) -> Array:
    """Set all logits below the k-th largest of their row to -inf (ties with it stay)."""
    kth_N1 = jax.lax.top_k(logits_NV, min(k, logits_NV.shape[-1]))[0][:, -1:]
    return jnp.where(logits_NV < kth_N1, -jnp.inf, logits_NV)


def keep_top_p(logits_NV: Array, p: float | Array) -> Array:
    """Keep the fewest most probable words of each row that reach probability p, -inf elsewhere."""
    sorted_NV = jnp.sort(logits_NV, axis=-1, descending=True)
    probability_NV = jax.nn.softmax(sorted_NV, axis=-1)
    # A word stays if those before it do not reach p yet; the first always does.
    before_NV = jnp.cumsum(probability_NV, axis=-1) - probability_NV
    last_N1 = jnp.sum(before_NV < p, axis=-1, keepdims=True) - 1
    smallest_N1 = jnp.take_along_axis(sorted_NV, jnp.maximum(last_N1, 0), axis=-1)
    return jnp.where(logits_NV < smallest_N1, -jnp.inf, logits_NV)


def decode(
    step: Step,
    carry: PyTree,
    choose: Callable[[Array, Array], Array],
    special: SpecialWords,
    max_length: int,
    captions: int | None = None,
) -> tuple[Array, Array]:
    """The loop of greedy decoding and sampling: one caption a row, each word chosen by itself.

    Args:
        step, carry, special, max_length: as for `greedy`.
        choose: (t, logits_NV with -inf for banned words) -> the words at t, (N,).
        captions: N, where the carry was expanded to several of each image.

    Returns:
        What `greedy` does.
    """
    captions = rows(carry, max_length) if captions is None else captions

    def unfinished(state: tuple) -> Array:
        t, _, _, ended_N, *_ = state
        return (t < max_length) & ~jnp.all(ended_N)

    def extend(state: tuple) -> tuple:
        t, carry, last_N, ended_N, words_NL, total_N = state
        carry, logits_NV = step(carry, last_N)
        word_N = choose(t, ban(logits_NV, special)).astype(jnp.int32)
        word_N = jnp.where(ended_N, special.null, word_N)
        log_probability_N = _log_probability(logits_NV, word_N)
        total_N = total_N + jnp.where(ended_N, 0, log_probability_N)
        words_NL = jax.lax.dynamic_update_slice_in_dim(words_NL, word_N[:, None], t, 1)
        return t + 1, carry, word_N, ended_N | (word_N == special.end), words_NL, total_N

    words_NL = jnp.full((captions, max_length), special.null, jnp.int32)
    start_N = jnp.full(captions, special.start, jnp.int32)
    total_N = jnp.zeros(captions, logits_dtype(step, carry, start_N))
    state = (jnp.int32(0), carry, start_N, jnp.zeros(captions, bool), words_NL, total_N)
    *_, words_NL, total_N = jax.lax.while_loop(unfinished, extend, state)
    return words_NL, total_N


def _log_probability(logits_NV: Array, word_N: Array) -> Array:
    logit_N = jnp.take_along_axis(logits_NV, word_N[:, None], axis=-1)[:, 0]
    return logit_N - jax.nn.logsumexp(logits_NV, axis=-1)
