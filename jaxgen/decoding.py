"""Decoding for any captioner: greedy, sampling and beam search, each one compiled program.

Shapes: N captions, B beams, R rows (N, or N·B in beam search), V vocabulary, L maximum length.

A captioner is its `step(carry, words_R) -> (carry, logits_RV)` and the carry that it starts from,
whose leaves lead with the row axis:

    step = functools.partial(module.apply, params, method="step")
    carry = module.apply(params, features, method="start")
    words_NL, log_probability_N = decoding.greedy(step, carry, vocabulary, max_length=30)

All functions are pure and can be jitted; the loop ends as soon as every caption has ended. Words
after START are returned, END included where it was reached, then NULL. Log-probabilities, in nats,
are those of the returned words under the model itself: temperature, truncation and banned words
steer the choice only.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class SpecialWords(NamedTuple):
    """Indices of the words that steer decoding, and of those that it must not emit.

    NULL and START are never emitted; `banned` adds others, UNK for one.
    """

    null: int = 0
    start: int = 1
    end: int = 2
    banned: tuple[int, ...] = ()


def greedy(step, carry, special, max_length):
    """Take the most probable word each time.

    Args:
        step: the captioner's `step(carry, words_N) -> (carry, logits_NV)`.
        carry: what the captioner starts from, for N captions.
        special: the `SpecialWords` of the vocabulary.
        max_length: L, at least 1.

    Returns:
        words (N, L), int32, and their log-probability (N,).
    """

    def choose(t, logits_NV):
        del t
        return jnp.argmax(logits_NV, axis=-1)

    return _decode(step, carry, choose, special, max_length)


def sample(step, carry, special, max_length, key, temperature=1.0, top_k=None, top_p=None):
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
        Fan et al., ACL 2018 (top-k); Holtzman et al., ICLR 2020 (top-p).
    """
    if not isinstance(temperature, jax.Array) and temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}; use greedy for 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")

    def choose(t, logits_NV):
        logits_NV = logits_NV / temperature
        if top_k is not None:
            logits_NV = keep_top_k(logits_NV, top_k)
        if top_p is not None:
            logits_NV = keep_top_p(logits_NV, top_p)
        return jax.random.categorical(jax.random.fold_in(key, t), logits_NV)

    return _decode(step, carry, choose, special, max_length)


def keep_top_k(logits_NV, k):
    """Set all logits below the k-th largest of their row to -inf (ties with it stay)."""
    kth_N1 = jax.lax.top_k(logits_NV, min(k, logits_NV.shape[-1]))[0][:, -1:]
    return jnp.where(logits_NV < kth_N1, -jnp.inf, logits_NV)


def keep_top_p(logits_NV, p):
    """Keep the fewest most probable words of each row that reach probability p, -inf elsewhere."""
    sorted_NV = jnp.sort(logits_NV, axis=-1, descending=True)
    probability_NV = jax.nn.softmax(sorted_NV, axis=-1)
    # A word stays if those before it do not reach p yet; the first always does.
    before_NV = jnp.cumsum(probability_NV, axis=-1) - probability_NV
    last_N1 = jnp.sum(before_NV < p, axis=-1, keepdims=True) - 1
    smallest_N1 = jnp.take_along_axis(sorted_NV, jnp.maximum(last_N1, 0), axis=-1)
    return jnp.where(logits_NV < smallest_N1, -jnp.inf, logits_NV)


def _decode(step, carry, choose, special, max_length):
    """The loop of greedy decoding and sampling: one caption a row, each word chosen by itself."""
    rows = _rows(carry, max_length)

    def unfinished(state):
        t, _, _, ended_N, *_ = state
        return (t < max_length) & ~jnp.all(ended_N)

    def extend(state):
        t, carry, last_N, ended_N, words_NL, total_N = state
        carry, logits_NV = step(carry, last_N)
        word_N = choose(t, _ban(logits_NV, special)).astype(jnp.int32)
        word_N = jnp.where(ended_N, special.null, word_N)
        log_probability_N = _log_probability(logits_NV, word_N)
        total_N = total_N + jnp.where(ended_N, 0, log_probability_N)
        words_NL = jax.lax.dynamic_update_slice(words_NL, word_N[:, None], (0, t))
        return t + 1, carry, word_N, ended_N | (word_N == special.end), words_NL, total_N

    words_NL = jnp.full((rows, max_length), special.null, jnp.int32)
    start_N = jnp.full(rows, special.start, jnp.int32)
    total_N = jnp.zeros(rows, _logits_dtype(step, carry, start_N))
    state = (jnp.int32(0), carry, start_N, jnp.zeros(rows, bool), words_NL, total_N)
    *_, words_NL, total_N = jax.lax.while_loop(unfinished, extend, state)
    return words_NL, total_N


def _rows(carry, max_length):
    """Number of captions; refuses more words than a carry with a `capacity` has room for."""
    if max_length > getattr(carry, "capacity", max_length):
        raise ValueError(f"max_length {max_length} exceeds the captioner's {carry.capacity}")
    return jax.tree.leaves(carry)[0].shape[0]


def _ban(logits_RV, special):
    banned = jnp.array([special.null, special.start, *special.banned])
    return logits_RV.at[:, banned].set(-jnp.inf)


def _log_probability(logits_NV, word_N):
    logit_N = jnp.take_along_axis(logits_NV, word_N[:, None], axis=-1)[:, 0]
    return logit_N - jax.nn.logsumexp(logits_NV, axis=-1)


def _logits_dtype(step, carry, words_R):
    return jax.eval_shape(step, carry, words_R)[1].dtype


class _Beams(NamedTuple):
    """State of a beam search: B unfinished captions for each of N, and the best finished one."""

    t: Any
    carry: Any
    last_NB: Any
    words_NBL: Any
    score_NB: Any
    best_NL: Any
    best_score_N: Any  # divided by the length penalty
    best_log_probability_N: Any


def beam_search(step, carry, special, max_length, beams, length_penalty=0.0):
    """Search for the caption with the best log-probability, keeping `beams` candidates.

    A candidate that ends counts if it is among the `beams` best extensions of its step, so one
    beam without penalty is greedy decoding; a caption without END at `max_length` counts too.
    Scores are log-probability / ((5 + length) / 6)^length_penalty.

    A carry with a method `expand(beams)` makes its own room for rows n·B + b from N, and one with
    `select(rows_R)` reorders itself; for any other carry all leaves are repeated and gathered.

    Args:
        step: the captioner's `step(carry, words_R) -> (carry, logits_RV)`.
        carry: what the captioner starts from, for N captions.
        special: the `SpecialWords` of the vocabulary.
        max_length: L, at least 1.
        beams: B, at least 1.
        length_penalty: at least 0; larger values favour longer captions.

    Returns:
        words (N, L), int32, and their log-probability (N,), not divided by the penalty.

    Raises:
        ValueError: a number is out of its range.

    Reference:
        Wu et al., Google's neural machine translation system, 2016, section 7.
    """
    if beams < 1:
        raise ValueError(f"beams must be at least 1, got {beams}")
    if length_penalty < 0:
        raise ValueError(f"length_penalty must not be negative, got {length_penalty}")

    rows = _rows(carry, max_length)
    carry = _expand(carry, beams)
    start_NB = jnp.full((rows, beams), special.start, jnp.int32)
    dtype = _logits_dtype(step, carry, start_NB.reshape(-1))

    def penalty(length):
        return ((5 + jnp.asarray(length, dtype)) / 6) ** length_penalty

    def unfinished(state):
        # Scores only fall as a caption grows, the penalty is largest at the maximum length.
        reachable_N = state.score_NB[:, 0] / penalty(max_length)
        return (state.t < max_length) & jnp.any(reachable_N > state.best_score_N)

    def extend(state):
        carry, logits_RV = step(state.carry, state.last_NB.reshape(-1))
        candidates = _best_extensions(logits_RV, state.score_NB, special)
        score_NC, parent_NC, word_NC = candidates
        length = state.t + 1
        words_NCL = jnp.take_along_axis(state.words_NBL, parent_NC[..., None], axis=1)
        words_NCL = jax.lax.dynamic_update_slice(words_NCL, word_NC[..., None], (0, 0, state.t))

        ends_NC = word_NC == special.end
        counts_NC = (ends_NC | (length == max_length)) & (jnp.arange(ends_NC.shape[1]) < beams)[
            None
        ]
        finished_NC = jnp.where(counts_NC, score_NC / penalty(length), -jnp.inf)
        first_N1 = jnp.argmax(finished_NC, axis=1)[:, None]
        finished_N = jnp.take_along_axis(finished_NC, first_N1, axis=1)[:, 0]
        better_N = finished_N > state.best_score_N
        first_NL = jnp.take_along_axis(words_NCL, first_N1[..., None], axis=1)[:, 0]
        first_score_N = jnp.take_along_axis(score_NC, first_N1, axis=1)[:, 0]

        alive_NC = jnp.where(ends_NC, -jnp.inf, score_NC)
        score_NB, place_NB = jax.lax.top_k(alive_NC, beams)
        parent_NB = jnp.take_along_axis(parent_NC, place_NB, axis=1)
        rows_R = (parent_NB + beams * jnp.arange(rows)[:, None]).reshape(-1)
        return _Beams(
            t=length,
            carry=_select(carry, rows_R),
            last_NB=jnp.take_along_axis(word_NC, place_NB, axis=1),
            words_NBL=jnp.take_along_axis(words_NCL, place_NB[..., None], axis=1),
            score_NB=score_NB,
            best_NL=jnp.where(better_N[:, None], first_NL, state.best_NL),
            best_score_N=jnp.where(better_N, finished_N, state.best_score_N),
            best_log_probability_N=jnp.where(better_N, first_score_N, state.best_log_probability_N),
        )

    final = jax.lax.while_loop(
        unfinished,
        extend,
        _Beams(
            t=jnp.int32(0),
            carry=carry,
            last_NB=start_NB,
            words_NBL=jnp.full((rows, beams, max_length), special.null, jnp.int32),
            # All beams start equal: only the first counts, or they would stay copies.
            score_NB=jnp.full((rows, beams), -jnp.inf, dtype).at[:, 0].set(0),
            best_NL=jnp.full((rows, max_length), special.null, jnp.int32),
            best_score_N=jnp.full(rows, -jnp.inf, dtype),
            best_log_probability_N=jnp.full(rows, -jnp.inf, dtype),
        ),
    )
    return final.best_NL, final.best_log_probability_N


def _best_extensions(logits_RV, score_NB, special):
    """The 2·B best one-word extensions: at most B of them end, so B to go on with remain."""
    captions, beams = score_NB.shape
    vocab_size = logits_RV.shape[1]
    log_probability_RV = logits_RV - jax.nn.logsumexp(logits_RV, axis=1, keepdims=True)
    total_NBV = score_NB[..., None] + _ban(log_probability_RV, special).reshape(
        captions, beams, vocab_size
    )
    total_NX = total_NBV.reshape(captions, beams * vocab_size)
    score_NC, index_NC = jax.lax.top_k(total_NX, min(2 * beams, beams * vocab_size))
    return score_NC, index_NC // vocab_size, index_NC % vocab_size


def _expand(carry, beams):
    if hasattr(carry, "expand"):
        return carry.expand(beams)
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, beams, axis=0), carry)


def _select(carry, rows_R):
    if hasattr(carry, "select"):
        return carry.select(rows_R)
    return jax.tree.map(lambda leaf: leaf[rows_R], carry)
