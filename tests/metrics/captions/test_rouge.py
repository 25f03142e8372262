"""ROUGE-L by hand."""

import pytest

from jaxgen.metrics.captions.rouge import rouge


def test_rouge_by_hand():
    """Precision of the first reference, recall of the second."""
    precision, recall = 3 / 4, 2 / 2
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge(["a b c d"], [["a x b y c z", "b d"]]) == pytest.approx(expected)
    longer = rouge(["a cat and then some more"], [["a cat"]])
    assert longer == pytest.approx((1 + 1.44) / 3 / (1 + 1.44 / 3))


def test_an_empty_caption_is_worth_nothing():
    assert rouge(["", "a b c d"], [["a b c d"], ["a b c d"]]) == pytest.approx(1 / 2)


def test_tokens_are_compared_as_they_stand():
    assert rouge(["A cat."], [["a cat"]]) == 0
    # As pycocoevalcap has it: between two spaces is a word, and a tab does not divide words.
    assert rouge(["a\tcat"], [["a cat"]]) == 0
    assert rouge(["a  cat"], [["a  cat"]]) == pytest.approx(1)
    assert 0.7 < rouge(["a  cat"], [["a cat"]]) < 1
