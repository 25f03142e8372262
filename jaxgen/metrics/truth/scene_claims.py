"""Reads a caption of a scene back to the facts that it states.

Nothing here assumes the templates that wrote the training captions: words of attributes attach to
the digit whose noun phrase they are in or, after it ("is red", "at the top"), to the digit named
last, in any order that a captioner may emit.
"""

import dataclasses
from typing import NamedTuple

from jaxgen.data.scenes import language
from jaxgen.data.scenes.rendering import VALUES

Fact = tuple[str, int]  # a field of `Digit` and its value

PREPOSITIONS = ("in", "at", "on", "near")
PLACE_NOUNS = ("corner", "side", "edge", "part")
JOINTS = ("and", "while", "but", "with")
EMPTY = {"a", "an", "the", "another", "there", "is", "are", "we", "can", "see", "this", "of"}
EMPTY |= {"picture", "image", "shows", "sits", "appears", "drawn", *JOINTS}
ADJECTIVES: dict[str, Fact] = {word: ("colour", i) for word, i in language.COLOUR_INDEX.items()}
ADJECTIVES |= {word: ("size", i) for word, i in language.SIZE_INDEX.items()}
VALUE_WORDS: dict[str, Fact] = {str(value): ("value", value) for value in range(VALUES)}
PLACES = {*language.ROW_INDEX, *language.COLUMN_INDEX, *language.MIDDLE_WORDS}
BACKGROUND = ["on", "a", "dark", "background"]  # true of every scene
PHRASES = [  # none is the beginning of another
    (phrase.split(), name)
    for name, phrases in language.RELATION_PHRASES.items()
    for phrase in phrases
]


class UnreadableCaption(ValueError):
    """The words are not a statement about digits."""


class Relation(NamedTuple):
    """`name` holds of the digits that two mentions stand for, given by their indices."""

    name: str
    subject: int
    other: int


@dataclasses.dataclass
class Group:
    """A statement about a number of digits at once."""

    count: int | None
    """How many there are; None where "all" does not say."""
    every: bool
    """Whether it is about every digit of the scene ("both digits are red"); otherwise exactly
    `count` digits have the facts ("two red digits")."""
    facts: set[Fact] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Claims:
    """What a caption states."""

    mentions: list[set[Fact]] = dataclasses.field(default_factory=list)
    """The facts about each digit that it mentions; every mention is another digit."""
    relations: list[Relation] = dataclasses.field(default_factory=list)
    groups: list[Group] = dataclasses.field(default_factory=list)


def read_claims(caption: str) -> Claims:
    """Reads the facts that a caption states.

    Args:
        caption: lower-case words separated by spaces.

    Returns:
        Claims.

    Raises:
        UnreadableCaption: a word is unknown, or a colour, size, place, number or relation is left
            without the digit that it needs.
    """
    return _Reader(caption.split()).read()


@dataclasses.dataclass
class _OpenRelation:
    name: str
    subject: int | None  # None: it comes after the others, as in "above a 3 is a 4"
    others: list[int] = dataclasses.field(default_factory=list)
    needed: int = 1


class _Reader:
    """One pass over the words of a caption."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._claims = Claims()
        self._adjectives: set[Fact] = set()  # of a noun to come, otherwise of `_current`
        self._place: set[Fact] = set()  # of the first mention, where the caption begins with it
        self._current: set[Fact] | None = None
        self._group: Group | None = None  # "two small ...", until its noun comes
        self._distribute = False  # "are both ...": the next attributes are of every mention
        self._relation: _OpenRelation | None = None
        self._last_subject: int | None = None

    def read(self) -> Claims:
        position = 0
        while position < len(self._words):
            position += self._step(position)
        self._settle()
        if self._place or self._group or self._distribute or self._relation:
            raise UnreadableCaption("the caption breaks off")
        return self._claims

    def _step(self, i: int) -> int:
        """Reads the words at i; returns how many they are."""
        word, following = self._words[i], self._words[i + 1 : i + 2]
        if word in ADJECTIVES:
            self._adjectives.add(ADJECTIVES[word])
            return 1
        if word in language.NOUNS and following and following[0] in VALUE_WORDS:
            return 1
        if word in language.NOUNS or word in VALUE_WORDS:
            self._mention({VALUE_WORDS[word]} if word in VALUE_WORDS else set())
            return 1
        if word in language.GROUP_NOUNS:
            self._name_group()
            return 1
        self._settle()
        for phrase, name in PHRASES:
            if word == phrase[0] and self._words[i : i + len(phrase)] == phrase:
                self._relate(name, after_joint=i > 0 and self._words[i - 1] in JOINTS)
                return len(phrase)
        place, length = _read_place(self._words[i:])
        if place:
            self._attach(place)
            return length
        if self._words[i : i + len(BACKGROUND)] == BACKGROUND:
            return len(BACKGROUND)
        if word in language.COUNT_WORDS and self._group and self._group.count is None:
            self._group.count = language.COUNT_WORDS[word]
        elif word in language.COUNT_WORDS:
            self._group = Group(language.COUNT_WORDS[word], every=False)
        elif word in ("both", "all"):
            self._quantify(word, following)
        elif word in language.ALONE_WORDS:
            self._claims.groups.append(Group(1, every=False))
        elif word not in EMPTY and (word != "in" or not {*following} & {*language.COLOUR_INDEX}):
            raise UnreadableCaption(f"{word!r} means nothing here")
        return 1

    def _settle(self) -> None:
        """Gives attributes that no noun followed to the digit before them."""
        if not self._adjectives or self._group:
            return
        if self._current is None:
            raise UnreadableCaption("an attribute of no digit")
        facts, self._adjectives = self._adjectives, set()
        self._attach(facts)

    def _attach(self, facts: set[Fact]) -> None:
        if self._group:
            raise UnreadableCaption("a number of no digits")
        if self._distribute:
            for mention in self._claims.mentions:
                mention |= facts
            self._distribute = False
        elif self._current is None:
            self._place |= facts
        else:
            self._current |= facts

    def _mention(self, facts: set[Fact]) -> None:
        if self._group:
            raise UnreadableCaption("a number of no digits")
        self._current = facts | self._adjectives | self._place
        self._adjectives, self._place = set(), set()
        index = len(self._claims.mentions)
        self._claims.mentions.append(self._current)
        relation = self._relation
        if relation is None:
            return
        if len(relation.others) < relation.needed:
            relation.others.append(index)
        else:
            relation.subject = index
        if len(relation.others) == relation.needed and relation.subject is not None:
            self._claims.relations += [
                Relation(relation.name, relation.subject, other) for other in relation.others
            ]
            self._last_subject, self._relation = relation.subject, None

    def _relate(self, name: str, after_joint: bool) -> None:
        if self._relation is not None or self._group:
            raise UnreadableCaption(f"{name!r} relates no digit")
        if not self._claims.mentions:
            self._relation = _OpenRelation(name, None)
            return
        if after_joint and self._last_subject is not None:
            subject = self._last_subject
        else:
            subject = len(self._claims.mentions) - 1
        self._relation = _OpenRelation(name, subject)

    def _quantify(self, word: str, following: list[str]) -> None:
        if following and following[0] in (*language.GROUP_NOUNS, *language.COUNT_WORDS):
            self._group = Group(2 if word == "both" else None, every=True)
        elif self._relation is not None:
            self._relation.needed = 2 if word == "both" else 3
        elif len(self._claims.mentions) == 2 or (word == "all" and len(self._claims.mentions) > 2):
            self._distribute = True
        else:
            raise UnreadableCaption(f"{word!r} of an unclear number of digits")

    def _name_group(self) -> None:
        if self._group is None:
            raise UnreadableCaption("digits without a number")
        self._group.facts = self._adjectives | self._place
        self._current = self._group.facts
        self._claims.groups.append(self._group)
        self._adjectives, self._place, self._group = set(), set(), None


def _read_place(words: list[str]) -> tuple[set[Fact], int]:
    """A phrase such as "in the top left corner" at the start of `words`, and its length."""
    if len(words) < 3 or words[0] not in PREPOSITIONS or words[1] != "the":
        return set(), 0
    end, named = 2, []
    while end < len(words):
        if words[end : end + 2] == ["of", "the"] and set(words[end + 2 : end + 3]) & PLACES:
            end += 2
        is_relation = words[end + 1 : end + 2] == ["of"] and words[end] in language.COLUMN_INDEX
        if words[end] not in PLACES or (named and is_relation):
            break
        named.append(words[end])
        end += 1
    rows = {("row", language.ROW_INDEX[word]) for word in named if word in language.ROW_INDEX}
    columns = {
        ("column", language.COLUMN_INDEX[word]) for word in named if word in language.COLUMN_INDEX
    }
    if any(word in language.MIDDLE_WORDS for word in named):
        rows, columns = rows or {("row", language.MIDDLE)}, columns or {("column", language.MIDDLE)}
    if named and end < len(words) and words[end] in PLACE_NOUNS:
        end += 1
    return rows | columns, end
