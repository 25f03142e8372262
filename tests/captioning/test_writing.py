"""Captions are the same in blocks of any size, and what memory does not hold is refused."""

import jax
import numpy as np
import pytest

from jaxgen.captioning import writing
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.decoding import Decoding
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.settings import memory

VOCABULARY = Vocabulary(["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat", "dog"])
FEATURES = 3 * np.sin(np.arange(5 * 8, dtype=np.float32)).reshape(5, 8)
WORDS = 6


@pytest.fixture(scope="module")
def trained():
    module = Transformer(width=8, heads=2, layers=1, feed_forward=8).module(
        len(VOCABULARY), (8,), WORDS
    )
    read = np.full((1, WORDS), 1, np.int32)
    params = jax.jit(module.init)(jax.random.key(1), FEATURES[:1], read)["params"]
    chance = np.random.default_rng(2)  # wider than the initialisation, for captions that differ
    drawn = jax.tree.map(lambda leaf: 3 * chance.normal(size=leaf.shape).astype("f"), params)
    return writing.writer(module, VOCABULARY, WORDS), drawn


def test_beams_and_attention_do_not_depend_on_the_size_of_blocks(trained, monkeypatch):
    writer, params = trained
    beams = Decoding(beam=3)
    words = writer.words(params, FEATURES, beams)
    looked = writer.attention(params, FEATURES, words)
    assert len({tuple(row) for row in words.tolist()}) > 1
    monkeypatch.setattr(writing, "_MOST_BEAMS", 6)
    monkeypatch.setattr(writing, "_ROWS", 2)
    np.testing.assert_array_equal(writer.words(params, FEATURES, beams), words)
    np.testing.assert_allclose(writer.attention(params, FEATURES, words), looked, atol=1e-6)


def test_captions_that_memory_does_not_hold_are_refused(trained, monkeypatch):
    writer, params = trained
    monkeypatch.setattr(memory, "free", lambda: 100)
    with pytest.raises(JaxgenError, match=r"of at most 6 words would .* smaller max_length"):
        writer.words(params, FEATURES, Decoding(beam=3))


def test_the_captioner_is_followed_once_for_all_calls(trained, monkeypatch):
    writer, params = trained
    followed = []
    kind, start = type(writer.module), type(writer.module).start
    monkeypatch.setattr(kind, "start", lambda *args: followed.append(1) or start(*args))
    other = writing.writer(writer.module, VOCABULARY, WORDS - 1)  # of which nothing is compiled yet
    for _ in range(3):
        other.words(params, FEATURES, Decoding())
        followed.append(0)
    first = followed.index(0)
    assert first > 0 and followed[first:] == [0, 0, 0]
