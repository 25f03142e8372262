"""The longest match wins, and patterns mean what they mean in `re`."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.metrics.captions.tokens.lexer import Lexer


def test_the_longest_match_wins_and_of_equal_ones_the_first():
    lexer = Lexer(["ab", "a|abcd", "[a-z]{2}", "{sign}+"], {"sign": "[.!]"})
    assert lexer.match("abc", 0) == (0, 2)
    assert lexer.match("xabcd", 1) == (1, 5)
    assert lexer.match("abce", 0) == (0, 2)  # what began as abcd falls back
    assert lexer.match("zy", 0) == (2, 2)
    assert lexer.match("a!..", 1) == (3, 4)
    assert lexer.match("é", 0) is None
    assert lexer.match("a", 1) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "a*b+c?",
        "(ab|c)*d",
        "[^ab]{2,3}b",
        "a{3}",
        "(a|b){0,2}c",
        r"\.\[a\-\]+",
        "[-a.]+|[^-a.]b",
        "(a(b|)c)+",
        "(?i:ab)c",
        "((a|b)*(c|))*d?",
    ],
)
@settings(max_examples=60, deadline=None)
@given(text=st.text("abcdABé.-[]", max_size=8))
def test_one_pattern_ends_where_the_longest_match_of_re_does(pattern, text):
    found = Lexer([pattern], {}).match(text, 0)
    ends = [end for end in range(1, len(text) + 1) if re.fullmatch(pattern, text[:end])]
    assert found == ((0, ends[-1]) if ends else None)


def test_letters_whose_case_does_not_matter():
    lexer = Lexer(["(?i:skis)"], {})
    for word in ("skis", "SKIS", "\u017fK\u0130\u017f", "s\u212a\u0131s"):
        assert lexer.match(word, 0) == (0, 4)


def test_a_named_set_inside_of_a_set():
    lexer = Lexer(["[{digit}x-]+"], {"digit": "[0-9]"})
    assert lexer.match("1x-9y", 0) == (0, 4)


@pytest.mark.parametrize("pattern", ["(ab", "ab)", "a(b"])
def test_patterns_without_an_end_are_refused(pattern):
    with pytest.raises(ValueError, match=r"has no end|left"):
        Lexer([pattern], {})
