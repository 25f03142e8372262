"""CIDEr-D by hand."""

import math

import pytest

from jaxgen.metrics.captions.cider import cider


def test_cider_by_hand():
    """Two images whose words are all different: every n-gram has the same weight, log 2."""
    perfect = cider(["a b c d", "e f g h"], [["a b c d"], ["e f g h"]])
    assert perfect == pytest.approx(10)
    # Half of the words, no longer n-gram, and one word too many for the Gaussian penalty.
    some = cider(["a b x y z", "e f g h"], [["a b c d"], ["e f g h"]])
    singles, pairs = 2 / math.sqrt(5 * 4), 1 / math.sqrt(4 * 3)
    assert some == pytest.approx(10 * (1 + math.exp(-1 / 72) * (singles + pairs) / 4) / 2)
    # A word that both images have says nothing.
    assert cider(["a", "a"], [["a"], ["a"]]) == 0


def test_one_word_has_no_longer_ngrams():
    # Of the four sizes of n-gram the first caption has one, the second two.
    figure = cider(["cat", "a dog"], [["cat"], ["a dog"]])
    assert figure == pytest.approx(10 * (1 / 4 + 2 / 4) / 2)
