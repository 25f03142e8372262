"""The tokens of captions as the COCO evaluation cuts them, without its Java program.

That evaluation (Chen et al. 2015, https://arxiv.org/abs/1504.00325, as pycocoevalcap has it) calls
the PTB tokeniser of Stanford CoreNLP 3.4.1, lower-cases, and leaves out most punctuation. A caption
is cut on its own here, whereas the program reads all of them as one text, in which two things
differ: a character that ends a line inside a caption (carriage return, U+2028, ...) moves all
captions that follow to another image there, and is a space here; and the last words of a caption
can meet the first of the next one (`No.` at the end, a number at the start).
`docs/captions_score.md` has the rest.
"""

import functools
import re

from jaxgen.metrics.captions.tokens.lexer import Lexer
from jaxgen.metrics.captions.tokens.rules import NAMED, RULES

NAME = "ptb-3.4.1"
"""What figures call it."""

# Brackets stay: the evaluation looks for those names in capitals, after they were lower-cased.
_DROPPED = frozenset("'' ' `` ` . ? ! , : - -- ... ;".split())
_LINE_ENDS = str.maketrans(dict.fromkeys("\n\r\x0b\x0c\u2028\u2029", " "))
_PLAIN = re.compile(r" *([A-Za-z]+)(?= )")
# Words as Java divides them: marks belong to letters, hyphens join them, ideographs stand alone.
_WORD = re.compile(
    r"(?:(?![\u2e80-\u9fff])[^\W_]|[\u0300-\u036f]|(?<=[^\W\d_])[-_.'](?=[^\W\d_]))+"
)
_NOT_PLAIN = frozenset("cannot gonna gotta lemme gimme wanna".split())  # which are two tokens


@functools.cache
def _lexer() -> Lexer:
    return Lexer([rule.pattern for rule in RULES], NAMED)


def tokens(caption: str) -> list[str]:
    """All tokens of a caption, in lower case, punctuation included.

    A token may hold no-break spaces, where a phone number, a fraction or markup has spaces.
    """
    lexer, found = _lexer(), []
    text = _code_units(caption.translate(_LINE_ENDS)) + "\n"
    place, end = 0, len(text) - 1
    while place < end:
        if plain := _PLAIN.match(text, place):
            word = plain[1].lower()
            if word not in _NOT_PLAIN:
                found.append(word)
                place = plain.end()
                continue
        matched = lexer.match(text, place)
        if matched is None:  # a character that the program drops
            place += 1
            continue
        rule = RULES[matched[0]]
        size = rule.ends(text[place : matched[1]])
        if token := rule.written(text[place : place + size]):
            found.append(_lower(_text(token)))
        place += size
    return found


def tokenise(caption: str) -> str:
    """The tokens that count, as pycocoevalcap gives them to its metrics: a space between them."""
    line = " ".join(tokens(caption)).rstrip()
    return " ".join(token for token in line.split(" ") if token not in _DROPPED)


def _lower(token: str) -> str:
    """Lower case as Java has it: Σ is ς where it ends a word of several letters."""
    if "\u03a3" not in token:
        return token.lower()

    def of_word(matched: re.Match[str]) -> str:
        word = matched[0]
        cased = [mark.lower() != mark.upper() for mark in word]
        return "".join(
            ("\u03c2" if any(cased[:place]) and not any(cased[place + 1 :]) else "\u03c3")
            if mark == "\u03a3"
            else mark
            for place, mark in enumerate(word)
        )

    return _WORD.sub(of_word, token).lower()


def _code_units(text: str) -> str:
    """Text in which characters beyond U+FFFF are two, as Java has them."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    return "".join(map(chr, memoryview(units).cast("H")))


def _text(units: str) -> str:
    """The inverse of `_code_units`; halves of characters become U+FFFD."""
    if units.isascii():
        return units
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
