"""Decoding of a tiny captioner whose every caption can be listed."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.captioning import decoding
from jaxgen.captioning.decoding import SpecialWords, beam_search
from jaxgen.captioning.decoding.word_by_word import keep_top_k, keep_top_p

WORDS, LENGTH = 6, 4  # NULL, START, END and the words 3, 4, 5
SPECIAL = SpecialWords(null=0, start=1, end=2)
SCORES = np.random.default_rng(5).normal(size=(3, WORDS, WORDS, WORDS)).astype(np.float32) * 2


def step(carry, words_R):
    """Scores by caption, last word but one and last word: greedy choices are often wrong."""
    caption_R, previous_R = carry
    return (caption_R, words_R), jnp.asarray(SCORES)[caption_R, previous_R, words_R]


def start(captions=3):
    return jnp.arange(captions), jnp.zeros(captions, jnp.int32)


def log_probability(caption, words):
    """Of `words` as returned, END included, summed word by word in NumPy."""
    previous, last, total = 0, SPECIAL.start, 0.0
    for word in words:
        if word == SPECIAL.null:
            break
        scores = SCORES[caption, previous, last].astype(np.float64)
        total += scores[word] - np.log(np.exp(scores).sum())
        previous, last = last, word
    return total


def all_captions():
    """Every caption that ends within LENGTH words or is cut off there, padded."""
    words = [word for word in range(WORDS) if word not in (0, 1, 2)]
    for length in range(LENGTH):
        for body in itertools.product(words, repeat=length):
            yield (*body, SPECIAL.end, *[0] * (LENGTH - length - 1))
    yield from itertools.product(words, repeat=LENGTH)


def penalised(caption, words, penalty):
    length = np.count_nonzero(words)
    return log_probability(caption, words) / ((5 + length) / 6) ** penalty


def run(decode, *args, **kwargs):
    words, log_probabilities = jax.jit(lambda carry: decode(step, carry, *args, **kwargs))(start())
    assert words.dtype == jnp.int32
    for caption, (row, value) in enumerate(zip(words, log_probabilities, strict=True)):
        assert value == pytest.approx(log_probability(caption, np.asarray(row)), rel=1e-5)
    return np.asarray(words), np.asarray(log_probabilities)


def test_greedy_takes_the_best_word_each_time():
    words, _ = run(decoding.greedy, SPECIAL, LENGTH)
    for caption, row in enumerate(words):
        previous, last = 0, SPECIAL.start
        for word in row:
            if last in (SPECIAL.end, SPECIAL.null):
                assert word == SPECIAL.null
            else:
                assert word == 2 + np.argmax(SCORES[caption, previous, last, 2:])
            previous, last = last, word


def test_greedy_takes_the_first_of_words_that_tie():
    def step(carry, words_R):
        scores_RV = jnp.tile(jnp.array([9.0, 9.0, -1.0, 0.5, 2.0, 2.0]), (words_R.size, 1))
        return carry, scores_RV.at[1:].set(-jnp.inf).at[1, 5].set(-3.0)

    words, _ = decoding.greedy(step, jnp.zeros(2), SPECIAL, LENGTH)
    np.testing.assert_array_equal(words, [[4] * LENGTH, [5] * LENGTH])


def test_banned_words_are_not_emitted():
    best = run(decoding.greedy, SPECIAL, LENGTH)[0][:, 0]
    banned = SPECIAL._replace(banned=tuple(int(word) for word in best))
    for decode, more in [
        (decoding.greedy, {}),
        (decoding.sample, {"key": jax.random.key(0)}),
        (beam_search, {"beams": 3}),
    ]:
        words, _ = run(decode, banned, LENGTH, **more)
        assert not np.isin(words, [SPECIAL.start, *banned.banned]).any()


def test_the_loop_stops_when_all_captions_have_ended():
    counted = []

    def ending(carry, words_N):
        jax.debug.callback(lambda: counted.append(1))
        return carry, jnp.full((words_N.shape[0], WORDS), 0.0).at[:, SPECIAL.end].set(9.0)

    words, _ = jax.jit(lambda c: decoding.greedy(ending, c, SPECIAL, 30))(jnp.zeros(2))
    beam, _ = jax.jit(lambda c: beam_search(ending, c, SPECIAL, 30, beams=2))(jnp.zeros(2))
    jax.effects_barrier()
    np.testing.assert_array_equal(words, [[SPECIAL.end, *[0] * 29]] * 2)
    np.testing.assert_array_equal(beam, words)
    assert len(counted) == 2


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
def test_wide_beam_equals_exhaustive_search(penalty):
    words, _ = run(beam_search, SPECIAL, LENGTH, beams=81, length_penalty=penalty)
    for caption, row in enumerate(words):
        best = max(all_captions(), key=lambda words: penalised(caption, words, penalty))
        np.testing.assert_array_equal(row, best)


def test_one_beam_is_greedy_and_three_are_no_worse():
    greedy, greedy_log_probability = run(decoding.greedy, SPECIAL, LENGTH)
    one, _ = run(beam_search, SPECIAL, LENGTH, beams=1)
    np.testing.assert_array_equal(one, greedy)
    three, log_probability = run(beam_search, SPECIAL, LENGTH, beams=3)
    assert np.all(log_probability >= greedy_log_probability - 1e-5)
    assert np.any(three != greedy)  # else these scores would test nothing


def test_samples_follow_the_distribution():
    captions = 4000

    def first_words(key):
        carry = (jnp.zeros(captions, jnp.int32),) * 2
        return decoding.sample(step, carry, SPECIAL, 1, key, temperature=0.7)[0][:, 0]

    words = np.asarray(jax.jit(first_words)(jax.random.key(0)))
    scores = SCORES[0, 0, SPECIAL.start, 2:] / 0.7
    expected = np.exp(scores) / np.exp(scores).sum()
    frequency = np.bincount(words, minlength=WORDS)[2:] / captions
    np.testing.assert_allclose(frequency, expected, atol=4 * 0.5 / captions**0.5)


def test_cold_or_narrow_sampling_is_greedy():
    greedy, _ = run(decoding.greedy, SPECIAL, LENGTH)
    for options in ({"temperature": 1e-4}, {"top_k": 1}, {"top_p": 1e-6}):
        words, _ = run(decoding.sample, SPECIAL, LENGTH, key=jax.random.key(1), **options)
        np.testing.assert_array_equal(words, greedy)


def test_top_k_and_top_p_keep_the_most_probable():
    logits = np.log([[0.1, 0.4, 0.2, 0.3], [0.7, 0.1, 0.1, 0.1]])
    kept = np.isfinite(keep_top_k(logits, 2))
    np.testing.assert_array_equal(kept[0], [False, True, False, True])
    assert np.isfinite(keep_top_k(logits, 9)).all()
    for p, expected in {
        0.3: [[0, 1, 0, 0], [1, 0, 0, 0]],
        0.65: [[0, 1, 0, 1], [1, 0, 0, 0]],
        0.85: [[0, 1, 1, 1], [1, 1, 1, 1]],  # equal words stay or go together
        1.0: [[1, 1, 1, 1], [1, 1, 1, 1]],
    }.items():
        np.testing.assert_array_equal(np.isfinite(keep_top_p(logits, p)), expected)


@pytest.mark.parametrize(
    ("decode", "options"),
    [
        (decoding.sample, {"temperature": 0.0}),
        (decoding.sample, {"top_k": 0}),
        (decoding.sample, {"top_p": 0.0}),
        (decoding.sample, {"top_p": 1.5}),
        (beam_search, {"beams": 0}),
        (beam_search, {"beams": 2, "length_penalty": -1.0}),
    ],
)
def test_numbers_out_of_range_are_refused(decode, options):
    if decode is decoding.sample:
        options["key"] = jax.random.key(0)
    with pytest.raises(
        ValueError, match=next(iter({*options} & {"temperature", "top_k", "top_p"}), "beam|length")
    ):
        decode(step, start(), SPECIAL, LENGTH, **options)
