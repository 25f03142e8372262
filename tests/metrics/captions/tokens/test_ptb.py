"""The PTB tokeniser without Java beside what the real one says."""

import json

import pytest

from jaxgen.metrics.captions.tokens import ptb
from tests.metrics.captions.tokens import corpus


def differing(pairs):
    """Captions that are cut differently, with both answers."""
    found = [(text, ptb.tokenise(text), expected) for text, expected in pairs]
    return [some for some in found if some[1] != some[2]]


def test_golden_captions():
    golden = json.loads(corpus.GOLDEN.read_text(encoding="utf-8"))
    assert golden["origin"] == corpus.ORIGIN
    assert len(golden["captions"]) > 900
    assert differing(golden["captions"]) == []


def test_beside_the_real_one_where_java_is():
    if corpus.jar() is None:
        pytest.skip("there is no Java, or no pycocoevalcap")
    texts = corpus.captions(1, 6_000)
    assert differing(zip(texts, corpus.of_java(texts), strict=True)) == []


def test_all_tokens_and_those_that_count():
    sentence = "A man's (blue) \"T-shirt\", isn't it?"
    assert ptb.tokens(sentence) == [
        *[
            "a",
            "man",
            "'s",
            "-lrb-",
            "blue",
            "-rrb-",
            "``",
            "t-shirt",
            "''",
            ",",
            "is",
            "n't",
            "it",
        ],
        "?",
    ]
    assert ptb.tokenise(sentence) == "a man 's -lrb- blue -rrb- t-shirt is n't it"


@pytest.mark.parametrize("end", ["\n", "\r", "\u2028", "\x0b", " \x0c "])
def test_a_line_that_ends_inside_a_caption_is_a_space(end):
    assert ptb.tokenise(f"a dog.{end}A cat") == "a dog a cat"


@pytest.mark.parametrize("caption", ["", " \t", "...", "\U0001f600", "\ud800", "\ud83d\ude00."])
def test_captions_without_tokens(caption):
    assert ptb.tokenise(caption) == ""


def test_a_letter_beyond_the_first_plane_is_kept_in_an_address_only():
    assert ptb.tokenise("a\U0001d5ba b http://x.org/\U0001d5ba") == "a b http://x.org/\U0001d5ba"


def test_no_caption_is_cut_in_more_than_linear_time():
    assert ptb.tokenise("a." * 20_000).startswith("a.a")
    assert ptb.tokenise("<a " * 2_000).startswith("< a")
