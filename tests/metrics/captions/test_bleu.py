"""BLEU by hand, and of captions too short for it."""

import math

import pytest

from jaxgen.metrics.captions.bleu import bleu, bleu_1, bleu_2, bleu_3, bleu_4


def test_bleu_by_hand():
    """Counts clipped by the reference that has most; brevity by the closest length, the shorter."""
    words, pairs = bleu(["the the the"], [["the cat", "the the b c"]])[:2]
    assert words == pytest.approx(2 / 3)
    assert pairs == pytest.approx(math.sqrt(2 / 3 * 1 / 2))
    brief = bleu(["a b"], [["a b c d", "a b c d e f"]])[0]
    assert brief == pytest.approx(math.exp(1 - 4 / 2))
    # Summed over the corpus: 3 of 4 words, where the mean of both captions would be 5 / 6.
    assert bleu(["a", "a b c"], [["a"], ["a b d"]])[0] == pytest.approx(3 / 4)


def test_the_four_metrics_are_those_of_one_computation(made, references):
    figures = tuple(metric.figure(made, references) for metric in (bleu_1, bleu_2, bleu_3, bleu_4))
    assert figures == bleu(made, references)
    shorter = bleu_1.figure(made[:2], references[:2])  # nothing is left of other captions
    assert shorter == bleu(made[:2], references[:2])[0] != figures[0]


def test_one_word_has_no_longer_ngrams():
    figures = bleu(["cat", "a dog"], [["cat"], ["a dog"]])
    assert figures[0] == pytest.approx(1)
    assert figures[2] == pytest.approx((1e-15 / 1e-9) ** (1 / 3))  # the oracle's guards


def test_a_caption_longer_than_its_reference_is_not_brief_but_imprecise():
    assert bleu(["a cat and then some more"], [["a cat"]])[0] == pytest.approx(2 / 6)
