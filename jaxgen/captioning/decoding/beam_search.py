"""Beam search for any captioner, in one compiled program.

Shapes: N captions, B beams, C candidates, R rows (N·B), V vocabulary, L maximum length. The
package's docstring says what a captioner is, and what is returned.
"""

from functools import partial
from typing import NamedTuple

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
from jaxgen.nn import batch_axis

Array = jax.Array


class _Beams(NamedTuple):
    """State of a beam search: B unfinished captions for each of N, and the best finished one."""

    t: Array
    carry: PyTree
    last_NB: Array
    words_NBL: Array
    score_NB: Array
    best_NL: Array
    best_score_N: Array  # divided by the length penalty
    best_log_probability_N: Array


def beam_search(
    step: Step,
    carry: PyTree,
    special: SpecialWords,
    max_length: int,
    beams: int,
    length_penalty: float | Array = 0.0,
) -> tuple[Array, Array]:
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
        Wu et al. 2016, https://arxiv.org/abs/1609.08144, section 7.
    """
    if beams < 1:
        raise ValueError(f"beams must be at least 1, got {beams}")
    if not isinstance(length_penalty, jax.Array) and length_penalty < 0:
        raise ValueError(f"length_penalty must not be negative, got {length_penalty}")

    captions = rows(carry, max_length)
    carry = expand(carry, beams)
    start_NB = jnp.full((captions, beams), special.start, jnp.int32)
    dtype = logits_dtype(step, carry, start_NB.reshape(-1))

    def penalty(length: int | Array) -> Array:
        return (((5 + jnp.asarray(length, dtype)) / 6) ** length_penalty).astype(dtype)

    def unfinished(state: _Beams) -> Array:
        # Scores only fall as a caption grows, the penalty is largest at the maximum length.
        reachable_N = state.score_NB[:, 0] / penalty(max_length)
        return (state.t < max_length) & jnp.any(reachable_N > state.best_score_N)

    def extend(state: _Beams) -> _Beams:
        carry, logits_RV = step(state.carry, state.last_NB.reshape(-1))
        candidates = _best_extensions(logits_RV, state.score_NB, special)
        score_NC, parent_NC, word_NC = candidates
        length = state.t + 1
        words_NCL = jnp.take_along_axis(state.words_NBL, parent_NC[..., None], axis=1)
        words_NCL = jax.lax.dynamic_update_slice_in_dim(words_NCL, word_NC[..., None], state.t, 2)

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
        score_NB, place_NB = batch_axis.by_device(partial(jax.lax.top_k, k=beams), alive_NC)
        parent_NB = jnp.take_along_axis(parent_NC, place_NB, axis=1)
        rows_R = (parent_NB + beams * jnp.arange(captions)[:, None]).reshape(-1)
        return _Beams(
            t=length,
            carry=_select(carry, rows_R, captions),
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
            words_NBL=jnp.full((captions, beams, max_length), special.null, jnp.int32),
            # All beams start equal: only the first counts, or they would stay copies.
            score_NB=jnp.full((captions, beams), -jnp.inf, dtype).at[:, 0].set(0),
            best_NL=jnp.full((captions, max_length), special.null, jnp.int32),
            best_score_N=jnp.full(captions, -jnp.inf, dtype),
            best_log_probability_N=jnp.full(captions, -jnp.inf, dtype),
        ),
    )
    return final.best_NL, final.best_log_probability_N


def _best_extensions(
    logits_RV: Array, score_NB: Array, special: SpecialWords
) -> tuple[Array, Array, Array]:
    """The 2·B best one-word extensions: at most B of them end, so B to go on with remain."""
    captions, beams = score_NB.shape
    vocab_size = logits_RV.shape[1]
    log_probability_RV = logits_RV - jax.nn.logsumexp(logits_RV, axis=1, keepdims=True)
    total_NBV = score_NB[..., None] + ban(log_probability_RV, special).reshape(
        captions, beams, vocab_size
    )
    total_NX = total_NBV.reshape(captions, beams * vocab_size)
    most = partial(jax.lax.top_k, k=min(2 * beams, beams * vocab_size))
    score_NC, index_NC = batch_axis.by_device(most, total_NX)
    return score_NC, index_NC // vocab_size, index_NC % vocab_size


def expand(carry: PyTree, beams: int) -> PyTree:
    """The carry of N captions as one of rows n·B + b, before the first step."""
    if hasattr(carry, "expand"):
        return carry.expand(beams)
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, beams, axis=0), carry)


def _select(carry: PyTree, rows_R: Array, captions: int) -> PyTree:
    if hasattr(carry, "select"):
        return carry.select(rows_R)
    return jax.tree.map(lambda leaf: batch_axis.take(leaf, rows_R, captions), carry)
