"""Writes true sentences about scenes: varied English of at most 15 words, without punctuation.

Lists are mostly in reading order, as people give them; which digit a relation starts from is a fair
coin, so that no relation can be guessed from word order.
"""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from jaxgen.data.scenes.language import (
    COUNT_WORDS,
    RELATION_PHRASES,
    SIZE_WORDS,
    SPATIAL,
    relations_between,
)
from jaxgen.data.scenes.rendering import COLOURS, SIZES, Digit, Scene

T = TypeVar("T")
MOST_WORDS = 15
_COLOURS, _SIZES = tuple(COLOURS), tuple(SIZES)
_COUNTS = {count: word for word, count in COUNT_WORDS.items()}
_ROWS = (("top", "upper"), ("middle",), ("bottom", "lower"))
_SIDES = ("left", "middle", "right")


class _Dice:
    """Choices made from `Random.random` alone, whose sequence Python keeps between versions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        return self._random() < probability

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self._random() * len(options))]


def describe(scenes: Sequence[Scene], seed: int, sentences: int = 5) -> list[list[str]]:
    """Different true sentences about each scene.

    Args:
        scenes: of one to three digits each.
        seed: the same seed yields the same sentences.
        sentences: for each scene.

    Returns:
        For each scene, its sentences: lower-case words with single spaces.
    """
    dice = _Dice(seed)
    return [_different(scene, dice, sentences) for scene in scenes]


def _different(scene: Scene, dice: _Dice, sentences: int) -> list[str]:
    written: dict[str, None] = {}  # a set that keeps its order
    while len(written) < sentences:
        sentence = dice.pick(_TEMPLATES[len(scene)])(scene, dice)
        if sentence is not None and len(sentence.split()) <= MOST_WORDS:
            written[sentence] = None
    return list(written)


def _article(phrase: str) -> str:
    return "an" if phrase.split()[0] in ("orange", "8") else "a"


def _colour(digit: Digit) -> str:
    return _COLOURS[digit.colour]


def _size(digit: Digit, dice: _Dice) -> str:
    return dice.pick(SIZE_WORDS[_SIZES[digit.size]])


def _predicate_size(digit: Digit) -> str:
    return _SIZES[digit.size]  # "the 3 is little" is not what people say


def _noun(digit: Digit, dice: _Dice, colour: float = 0.85, size: float = 0.45) -> str:
    """The digit without article: "small red 3"; colour and size with those probabilities."""
    words = [_size(digit, dice)] if dice.chance(size) else []
    value = f"{dice.pick(('digit', 'number'))} {digit.value}" if dice.chance(0.06) else digit.value
    if not dice.chance(colour):
        return " ".join([*words, str(value)])
    if dice.chance(0.08):
        return " ".join([*words, f"{value} in {_colour(digit)}"])
    return " ".join([*words, _colour(digit), str(value)])


def _mentions(digits: Sequence[Digit], dice: _Dice, definite: bool, **chances: float) -> list[str]:
    """Noun phrases with articles; one that would repeat another says so."""
    nouns = [_noun(digit, dice, **chances) for digit in digits]
    return [
        f"another {noun}"
        if noun in nouns[:i]
        else f"the {noun}"
        if definite
        else f"{_article(noun)} {noun}"
        for i, noun in enumerate(nouns)
    ]


def _place(digit: Digit, dice: _Dice) -> str:
    rows, side = _ROWS[digit.row], _SIDES[digit.column]
    row = dice.pick(rows)
    if digit.row == 1 and digit.column == 1:
        return dice.pick(("in the center", "in the middle"))
    if digit.row == 1:
        exact = (f"in the middle of the {side} side", f"at the middle {side}")
        return dice.pick((*exact, f"on the {side}", f"on the {side} side"))
    if digit.column == 1:
        exact = (f"at the {rows[0]} center", f"in the {rows[0]} middle")
        return dice.pick((*exact, f"in the middle of the {rows[0]}", f"at the {rows[0]}"))
    if dice.chance(0.12):
        return dice.pick((f"at the {rows[0]}", f"on the {side}"))
    return dice.pick(
        (f"in the {row} {side} corner", f"in the {row} {side}", f"at the {rows[0]} {side}")
    )


def _with_place(mention: str, digit: Digit, dice: _Dice, probability: float) -> str:
    return f"{mention} {_place(digit, dice)}" if dice.chance(probability) else mention


def _opening(dice: _Dice) -> str:
    shown = ("a picture of", "an image of", "the picture shows", "this image shows", "we can see")
    return dice.pick(("", "", "", "there is ", "there is ", dice.pick(shown) + " "))


def _some(scene: Scene, dice: _Dice, count: int) -> list[Digit]:
    """That many of the digits, in a random order."""
    rest, chosen = list(scene), []
    for _ in range(count):
        chosen.append(rest.pop(rest.index(dice.pick(rest))))
    return chosen


def _alone(scene: Scene, dice: _Dice) -> str:
    noun = _noun(scene[0], dice, size=0.6)
    if dice.chance(0.12):
        return f"{_opening(dice)}a {dice.pick(('single', 'lone'))} {noun} {_place(scene[0], dice)}"
    mention = f"{_opening(dice)}{_article(noun)} {noun}"
    if dice.chance(0.15):
        return f"{mention} on a dark background"
    return f"{mention} {_place(scene[0], dice)}"


def _alone_in_a_clause(scene: Scene, dice: _Dice) -> str:
    digit, noun = scene[0], _noun(scene[0], dice, size=0.6)
    subject = f"{_article(noun)} {noun}"
    if dice.chance(0.4):
        return f"{_place(digit, dice)} {dice.pick(('there is', 'is', 'we see'))} {subject}"
    return f"{subject} {dice.pick(('is', 'sits', 'appears', 'is drawn'))} {_place(digit, dice)}"


def _alone_with_predicate(scene: Scene, dice: _Dice) -> str:
    digit, (colour, size) = scene[0], (_colour(scene[0]), _predicate_size(scene[0]))
    predicate = dice.pick((colour, size, f"{colour} and {size}", f"{size} and {colour}"))
    subject = f"the {dice.pick(('', '', 'digit ', 'number '))}{digit.value}"
    return f"{_with_place(subject, digit, dice, 0.7)} is {predicate}"


def _list(scene: Scene, dice: _Dice) -> str:
    digits = list(scene) if dice.chance(0.85) else _some(scene, dice, len(scene))
    sizes, places = (0.4, 0.45) if len(scene) == 2 else (0.2, 0.15)
    told = [
        _with_place(mention, digit, dice, places)
        for mention, digit in zip(_mentions(digits, dice, False, size=sizes), digits, strict=True)
    ]
    joint = " with " if dice.chance(0.2) else " and "
    return _opening(dice) + told[0] + joint + " and ".join(told[1:])


def _counted(scene: Scene, dice: _Dice) -> str:
    count = _COUNTS[len(scene)]
    told = _mentions(scene, dice, False, size=0.25)
    start = dice.pick(("", "there are ", "we can see ", "a picture of "))
    return f"{start}{count} digits {' '.join(told[:-1])} and {told[-1]}"


def _relation(scene: Scene, dice: _Dice, kinds: Sequence[str] = SPATIAL) -> str | None:
    subject, other = _some(scene, dice, 2)
    options = [name for name in relations_between(subject, other) if name in kinds]
    if not options:
        return None
    phrases = RELATION_PHRASES[dice.pick(options)]
    phrase = dice.pick(phrases)
    definite = dice.chance(0.4)
    size = 0.2 if kinds is SPATIAL else 0.0  # "the small 3 is smaller than" says nothing new
    first, second = _mentions((subject, other), dice, definite, size=size)
    if definite:
        verb = "sits" if kinds is SPATIAL and dice.chance(0.3) else "is"
        return f"{first} {verb} {phrase} {second}"
    if kinds is SPATIAL and dice.chance(0.2):
        second, first = _mentions((other, subject), dice, False, size=size)
        return f"{phrase} {second} {dice.pick(('is', 'there is'))} {first}"
    if dice.chance(0.15 if kinds is SPATIAL else 0.4):
        # Not "in the top left of a 3", which would name another place.
        return f"{_opening(dice)}{first} {_place(subject, dice)} {phrases[0]} {second}"
    return f"{_opening(dice)}{first} {phrase} {second}"


def _comparison(scene: Scene, dice: _Dice) -> str | None:
    return _relation(scene, dice, ("bigger", "smaller"))


def _two_relations(scene: Scene, dice: _Dice) -> str | None:
    subject, *others = _some(scene, dice, 3)
    options = [
        [name for name in relations_between(subject, other) if name in SPATIAL] for other in others
    ]
    if not all(options):
        return None
    first, second, third = _mentions((subject, *others), dice, False, colour=0.8, size=0.0)
    common = [name for name in options[0] if name in options[1]]
    if common and dice.chance(0.6):
        phrase = dice.pick(RELATION_PHRASES[dice.pick(common)])
        return f"{first} {phrase} both {second} and {third}"
    left, right = (dice.pick(RELATION_PHRASES[dice.pick(names)]) for names in options)
    return f"{first} {left} {second} and {right} {third}"


def _predicates(scene: Scene, dice: _Dice) -> str | None:
    if len({digit.value for digit in scene}) < len(scene):
        return None  # "the 3 is red and the 3 is blue" is not English
    say = dice.pick((_colour, _colour, _predicate_size, lambda digit: _place(digit, dice)))
    clauses = [f"the {digit.value} is {say(digit)}" for digit in scene]
    joint = "while" if dice.chance(0.2) else "and"
    return " ".join(clauses[:-1]) + f" {joint} {clauses[-1]}"


def _in_common(scene: Scene, dice: _Dice) -> str | None:
    said = ({say(digit) for digit in scene} for say in (_colour, _predicate_size))
    shared = [name for names in said for name in names if len(names) == 1]
    if not shared:
        return None
    every = "both" if len(scene) == 2 else "all three"
    subject = f"{every} digits are"
    if len({digit.value for digit in scene}) == len(scene) and dice.chance(0.5):
        named = [f"the {digit.value}" for digit in scene]
        subject = f"{' '.join(named[:-1])} and {named[-1]} are {every.split()[0]}"
    return f"{subject} {dice.pick(shared)}"


_TEMPLATES: dict[int, tuple[Callable[[Scene, _Dice], str | None], ...]] = {
    1: (_alone,) * 4 + (_alone_in_a_clause,) * 3 + (_alone_with_predicate,),
    2: (_list,) * 5 + (_counted, _predicates, _in_common, _comparison) + (_relation,) * 4,
    3: (_list,) * 3 + (_counted,) * 2 + (_predicates, _in_common, _comparison, _two_relations)
    + (_relation,) * 3,
}  # fmt: skip
