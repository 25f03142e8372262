"""Words and their indices, there and back."""

import numpy as np
import pytest

from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError

VOCABULARY = Vocabulary(["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat"])


def test_decodes_one_caption_or_many_up_to_the_first_end():
    assert VOCABULARY.decode(np.array([1, 4, 0, 5, 2, 4, 2])) == "a cat"
    assert VOCABULARY.decode(np.array([[1, 4, 2], [1, 5, 3]])) == ["a", "cat <UNK>"]
    assert VOCABULARY.decode([1, 2, 0]) == ""


def test_decodes_with_markers_as_the_course_notebook():
    assert VOCABULARY.decode([1, 4, 5, 2, 0], markers=True) == "<START> a cat <END>"


def test_encodes_with_padding_and_unknown_words():
    caption = VOCABULARY.encode("a dog", length=6)
    np.testing.assert_array_equal(caption, [1, 4, 3, 2, 0, 0])
    assert caption.dtype == np.int32
    assert VOCABULARY.encode("a " * 15).shape == (17,)
    with pytest.raises(JaxgenError, match="16 words; at most 15"):
        VOCABULARY.encode("a " * 16)


def test_rare_words_are_left_out_of_a_vocabulary_of_sentences():
    vocabulary = Vocabulary.of_sentences(["b c", "b a", "a rare"], least=2)
    assert vocabulary.words == ("<NULL>", "<START>", "<END>", "<UNK>", "a", "b")


def test_words_that_are_no_text_are_refused():
    with pytest.raises(JaxgenError, match="the vocabulary has 3, which is no text"):
        Vocabulary([*VOCABULARY.words, 3])


def test_indices_outside_and_wrong_ranks_are_refused():
    with pytest.raises(IndexError, match="index 6"):
        VOCABULARY.decode([1, 6])
    with pytest.raises(IndexError, match="index -1"):
        VOCABULARY.decode([1, -1])
    with pytest.raises(ValueError, match="shape"):
        VOCABULARY.decode(np.zeros((1, 1, 1), int))


def test_characters_are_joined_without_spaces():
    vocabulary = Vocabulary(
        ["<NULL>", "<START>", "<END>", "<UNK>", " ", "a", "c", "t"], "characters"
    )
    caption = vocabulary.encode("a cat", length=8)
    np.testing.assert_array_equal(caption, [1, 5, 4, 6, 5, 7, 2, 0])
    assert vocabulary.decode(caption) == "a cat"
    assert vocabulary.tokens(caption, markers=True) == ["<START>", "a", " ", "c", "a", "t", "<END>"]
    with pytest.raises(JaxgenError, match="'a cat' has 5 characters; at most 4 fit"):
        vocabulary.encode("a cat", length=6)
