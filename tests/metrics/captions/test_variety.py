"""Shares of unknown words and of repeated and distinct captions."""

import pytest

from jaxgen.metrics.captions.variety import distinct_share, repeated_share, unknown_share

MADE = ["a <UNK> cat", "a dog", "a dog", "", "a <UNK> cat"]


def test_shares_by_hand():
    assert unknown_share(MADE) == pytest.approx(2 / 10)
    assert unknown_share(["a <UNMATCHED> cat"]) == pytest.approx(1 / 3)
    assert repeated_share(MADE) == pytest.approx(4 / 5)
    assert distinct_share(MADE) == pytest.approx(3 / 5)


def test_silence_is_all_the_same():
    silent = [""] * 5
    assert (unknown_share(silent), repeated_share(silent), distinct_share(silent)) == (0, 1, 1 / 5)


def test_captions_that_all_differ():
    different = ["a cat", "a <UNK> dog", "the dog", "a mat"]
    assert (repeated_share(different), distinct_share(different)) == (0, 1)
