"""Captions spelt out, checked letter by letter."""

import numpy as np
import pytest

from jaxgen.data.captions import characters
from jaxgen.data.captions.characters import character_vocabulary, spell
from jaxgen.data.captions.vocabulary import Vocabulary

WORDS = Vocabulary(["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat", "at"])
CHARACTERS = character_vocabulary(WORDS)


def test_the_vocabulary_is_of_the_characters_of_plain_words():
    assert CHARACTERS.words == ("<NULL>", "<START>", "<END>", "<UNK>", " ", "a", "c", "t")
    assert CHARACTERS.units == "characters"


@pytest.mark.parametrize("rows", [1, 16], ids=["in parts", "at once"])
def test_spells_words_with_spaces_between(monkeypatch, rows):
    monkeypatch.setattr(characters, "_ROWS", rows)
    captions = np.array([[1, 4, 5, 2, 0], [1, 2, 0, 0, 0], [1, 3, 6, 2, 0]])
    spelt = spell(captions, WORDS, CHARACTERS)
    assert spelt.dtype == np.int32
    np.testing.assert_array_equal(
        spelt,
        [
            [1, 5, 4, 6, 5, 7, 2],  # a cat
            [1, 2, 0, 0, 0, 0, 0],
            [1, 3, 4, 5, 7, 2, 0],  # <UNK> at
        ],
    )
    assert CHARACTERS.decode(spelt) == WORDS.decode(captions) == ["a cat", "", "<UNK> at"]
