"""The nearest training image: by cosine, by the mean of tokens, block by block, from a file."""

import numpy as np
import pytest

from jaxgen.captioning import baseline
from jaxgen.data.captions.base import Features, Split
from jaxgen.data.captions.vocabulary import Vocabulary

TRAIN = np.array([[1, 0], [0, 0], [0, 5], [3, 3.1], [2, 0], [-1, 0]], np.float32)
WANTED = np.array([[9, 9], [0.1, 0.001], [-1, -0.1], [0.1, 2]], np.float32)
SENTENCES = ["a cat", "a dog", "a dog again", "the cat", "two cats", "no cat", "nothing"]
IMAGES = np.array([5, 2, 2, 3, 4, 0, 1])  # of the sentences


def in_memory(array):
    return Features.of(array)


def in_file(array):
    return Features(array.shape, read=lambda rows: array[rows])


@pytest.mark.parametrize("kept", [in_memory, in_file])
@pytest.mark.parametrize("block_bytes", [2**26, 1])
def test_the_nearest_is_by_direction(kept, block_bytes, monkeypatch):
    """Neither zeros nor length matter; of equals the first, also over blocks of one row."""
    monkeypatch.setattr(baseline, "_BLOCK_BYTES", block_bytes)
    features = kept(TRAIN)
    found = baseline.nearest(features, np.arange(6), WANTED)
    np.testing.assert_array_equal(found, [3, 0, 5, 2])
    found = baseline.nearest(features, np.array([1, 2, 4]), WANTED[:2])
    np.testing.assert_array_equal(found, [1, 2])


def test_tokens_count_by_their_mean():
    """Of each image two tokens, whose mean is what the vectors above are."""
    apart = np.array([1, -1], np.float32)[None, :, None] * 7
    features = in_memory(TRAIN[:, None, :] + apart)
    found = baseline.nearest(features, np.arange(6), WANTED[:, None, :] - 2 * apart)
    np.testing.assert_array_equal(found, [3, 0, 5, 2])


def test_the_first_caption_of_that_image_is_copied():
    vocabulary = Vocabulary.of_sentences(SENTENCES, 1)
    captions = np.stack([vocabulary.encode(sentence, 6) for sentence in SENTENCES])
    train = Split({"captions": captions, "image_index": IMAGES}, in_memory(TRAIN), [])
    copied = baseline.sentences(train, vocabulary, WANTED)
    assert copied == ["the cat", "no cat", "a cat", "a dog"]


def test_images_without_a_caption_are_passed_over():
    vocabulary = Vocabulary.of_sentences(SENTENCES, 1)
    captions = np.stack([vocabulary.encode(sentence, 6) for sentence in SENTENCES[:3]])
    train = Split({"captions": captions, "image_index": IMAGES[:3]}, in_memory(TRAIN), [])
    assert baseline.sentences(train, vocabulary, WANTED[:1]) == ["a dog"]
