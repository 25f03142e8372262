"""What each word of a vocabulary means in captions of scenes, as arrays to look up on a device.

Facts are bits of an int32, so that a set of them is a number: `FACT_BIT` says which. V vocabulary,
R rows (captions), L places of words.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.scenes import language
from jaxgen.data.scenes.rendering import CLASSES, Digit
from jaxgen.metrics.truth import scene_claims as reader

Array = jax.Array

_BEFORE = dict(
    zip(Digit._fields, np.cumsum([0, *CLASSES[:-1]]).tolist(), strict=True)
)  # bits of the attributes before each
FACT_BIT = {
    (name, value): 1 << (_BEFORE[name] + value)
    for name, classes in zip(Digit._fields, CLASSES, strict=True)
    for value in range(classes)
}
RELATIONS = tuple(language.RELATION_PHRASES)
_AHEAD = 4  # words after it that decide what a word means


def _bits(*facts: tuple[str, int]) -> int:
    return sum(FACT_BIT[fact] for fact in facts)


ROWS, COLUMNS = (
    _bits(*((name, value) for value in range(getattr(CLASSES, name)))) for name in ("row", "column")
)
MIDDLE = 1 << sum(CLASSES)
"""A word that means the middle row or column, whichever is not told otherwise."""


class Words(NamedTuple):
    """What the words of captions are, each (R, L + 1): the last is where all have ended."""

    ends: Array
    adjective: Array
    """Facts; 0 for none."""
    value: Array
    is_before_value: Array
    """A noun whose value follows: the next word is the mention."""
    is_noun: Array
    is_group_noun: Array
    relation: Array
    """Which relation begins here, -1 for none."""
    relation_words: Array
    begins_place: Array
    place: Array
    """Facts of a word of places, or MIDDLE; 0 for none."""
    is_side_of: Array
    """Left or right before "of"."""
    is_of_the_place: Array
    """"of the" before a word of places."""
    is_place_noun: Array
    is_background: Array
    count: Array
    is_both: Array
    is_all: Array
    is_before_group: Array
    is_alone: Array
    is_unknown: Array
    is_after_joint: Array


class WordClasses:
    """The meaning of a vocabulary's words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._null, self._end = vocabulary.null, vocabulary.end
        self._words = words = vocabulary.words
        self._places = {word: _bits(("row", row)) for word, row in language.ROW_INDEX.items()}
        self._places |= {
            w: _bits(("column", column)) for w, column in language.COLUMN_INDEX.items()
        }
        self._places |= dict.fromkeys(language.MIDDLE_WORDS, MIDDLE)
        self._adjective_V = self._numbers({w: _bits(f) for w, f in reader.ADJECTIVES.items()})
        self._value_V = self._numbers({w: _bits(f) for w, f in reader.VALUE_WORDS.items()})
        self._place_V = self._numbers(self._places)
        self._count_V = self._numbers(language.COUNT_WORDS)
        ignored = {"in", *reader.EMPTY}
        self._unknown_V = np.array([word not in ignored for word in words])

    def of(self, words_RL: Array) -> Words:
        """What the words of captions are.

        Args:
            words_RL: int32, without START; END or NULL ends a caption.
        """
        rows = words_RL.shape[0]
        padding = jnp.full((rows, 1 + _AHEAD), self._null, words_RL.dtype)
        padded = jnp.concatenate([words_RL, padding], axis=1)
        places = words_RL.shape[1] + 1

        def at(offset: int) -> Array:
            return padded[:, offset : offset + places]

        def among(words: Array, *named: str) -> Array:
            """Whether each is one of some words; those that the vocabulary lacks are none."""
            return jnp.asarray(np.array([word in named for word in self._words]))[words]

        def phrase(*named: str) -> Array:
            found = among(at(0), named[0])
            for offset, word in enumerate(named[1:], start=1):
                found &= among(at(offset), word)
            return found

        def looked_up(table_V: np.ndarray, offset: int = 0) -> Array:
            return jnp.asarray(table_V)[at(offset)]

        is_place = [looked_up(self._place_V, offset) > 0 for offset in range(_AHEAD + 1)]
        of_the = [
            among(at(offset), "of") & among(at(offset + 1), "the") & is_place[offset + 2]
            for offset in (0, 2)
        ]
        relation, length = jnp.full_like(at(0), -1), jnp.zeros_like(at(0))
        for named, name in reader.PHRASES:
            found = phrase(*named)
            relation = jnp.where(found, RELATIONS.index(name), relation)
            length = jnp.where(found, len(named), length)
        is_value = looked_up(self._value_V, 1) > 0
        is_noun = among(at(0), *language.NOUNS)
        is_coloured = among(at(0), "in") & among(at(1), *language.COLOUR_INDEX)
        is_in = among(at(0), "in")
        after_joint = jnp.concatenate(
            [jnp.zeros((rows, 1), bool), among(at(0), *reader.JOINTS)[:, :-1]], axis=1
        )
        return Words(
            ends=(at(0) == self._null) | (at(0) == self._end),
            adjective=looked_up(self._adjective_V),
            value=looked_up(self._value_V),
            is_before_value=is_noun & is_value,
            is_noun=is_noun,
            is_group_noun=among(at(0), *language.GROUP_NOUNS),
            relation=relation,
            relation_words=length,
            begins_place=among(at(0), *reader.PREPOSITIONS)
            & among(at(1), "the")
            & (is_place[2] | of_the[1]),
            place=looked_up(self._place_V),
            is_side_of=among(at(0), *language.COLUMN_INDEX) & among(at(1), "of"),
            is_of_the_place=of_the[0],
            is_place_noun=among(at(0), *reader.PLACE_NOUNS),
            is_background=phrase(*reader.BACKGROUND),
            count=looked_up(self._count_V),
            is_both=among(at(0), "both"),
            is_all=among(at(0), "all"),
            is_before_group=among(at(1), *language.GROUP_NOUNS, *language.COUNT_WORDS),
            is_alone=among(at(0), *language.ALONE_WORDS),
            is_unknown=looked_up(self._unknown_V) | (is_in & ~is_coloured),
            is_after_joint=after_joint,
        )

    def _numbers(self, meaning: dict[str, int]) -> np.ndarray:
        return np.array([meaning.get(word, 0) for word in self._words], np.int32)
