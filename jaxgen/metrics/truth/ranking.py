"""Relations by ranking: whether a true sentence is likelier than the same with something exchanged.

Greedy captions may leave relations out, and then nothing shows whether they were known. Here every
scene of two and three digits gets a true sentence with its relation turned round ("above" for
"below"), and one in which two digits have exchanged a colour, a size or a value. The words alone do
not tell which of a pair is true: who cannot see the scene is right in half of them.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from jaxgen.data.scenes import language
from jaxgen.data.scenes.rendering import Scene
from jaxgen.data.scenes.sentences import describe
from jaxgen.metrics.truth.measure import judge
from jaxgen.metrics.truth.scene_claims import ADJECTIVES, VALUE_WORDS, read_claims

Kind = Literal["relations", "attributes"]
KINDS: tuple[Kind, ...] = ("relations", "attributes")
CHANCE = 0.5
"""The share of pairs that who does not see the scene ranks right."""

_SENTENCES, _TRIES = 12, 4  # to look for a pair among
_OPPOSITE = {"above": "below", "left": "right", "bigger": "smaller"}
_OPPOSITE |= {other: name for name, other in _OPPOSITE.items()}
_BY_LENGTH = sorted(  # "to the left of" before "left of"
    (
        (phrase.split(), name)
        for name, phrases in language.RELATION_PHRASES.items()
        for phrase in phrases
    ),
    key=lambda item: -len(item[0]),
)
_ATTRIBUTE = {word: name for word, (name, _) in (ADJECTIVES | VALUE_WORDS).items()}


class Pair(NamedTuple):
    """A true sentence and a false one that differs in what was exchanged."""

    scene: int
    """Index of the scene that it is about."""
    digits: int
    kind: Kind
    true: str
    exchanged: str


def pairs(scenes: Sequence[Scene], seed: int = 0) -> list[Pair]:
    """A pair of each kind for every scene of two and three digits.

    Args:
        scenes: what is in the pictures.
        seed: the same seed yields the same pairs; those of a scene depend on its place alone.

    Returns:
        The pairs, by scene. A scene whose digits look the same may lack one: what is exchanged
        there stays true.
    """
    found = []
    for index, scene in enumerate(scenes):
        if len(scene) < 2:
            continue
        dice = random.Random(f"{seed} {index}")
        missing = list(KINDS)
        for sentence in _sentences(scene, dice):
            for kind in tuple(missing):
                exchanged = _exchanged(kind, sentence, scene, dice)
                if exchanged:
                    found.append(Pair(index, len(scene), kind, sentence, exchanged))
                    missing.remove(kind)
            if not missing:
                break
    return found


def shares(pairs: Sequence[Pair], margins: np.ndarray) -> dict[str, float]:
    """Shares of the pairs that are ranked right.

    Args:
        pairs: as `pairs` gives them.
        margins: log-likelihood of each true sentence minus that of the exchanged one; 0 counts
            half.

    Returns:
        `ranked_relations`, `ranked_attributes` and, of both together, `ranked`, in [0, 1]; with the
        suffix `_2` or `_3` over scenes of that many digits. One without pairs is left out.
    """
    right = np.where(margins == 0, 0.5, margins > 0)
    figures: dict[str, float] = {}
    tests: dict[str, Callable[[Pair], bool]] = {
        "": lambda pair: True,
        "_2": lambda pair: pair.digits == 2,
        "_3": lambda pair: pair.digits == 3,
    }
    for suffix, is_one in tests.items():
        for kind in (None, *KINDS):
            rows = [is_one(pair) and kind in (None, pair.kind) for pair in pairs]
            if any(rows):
                name = "ranked" if kind is None else f"ranked_{kind}"
                figures[name + suffix] = float(right[np.array(rows)].mean())
    return figures


def table(figures: Mapping[str, float]) -> str:
    """What `shares` returns, in percent, beside chance."""
    head = "".join(f"{name:>10}" for name in ("all", "2 digits", "3 digits", "chance"))
    lines = [f"{'ranked right':24}{head}"]
    for name, title in (
        ("ranked_relations", "a relation exchanged"),
        ("ranked_attributes", "two attributes exchanged"),
        ("ranked", "together"),
    ):
        found = [figures.get(name + suffix) for suffix in ("", "_2", "_3")]
        cells = ["-" if x is None else f"{100 * x:.1f} %" for x in (*found, CHANCE)]
        lines.append(f"{title:24}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def _sentences(scene: Scene, dice: random.Random) -> Iterator[str]:
    for _ in range(_TRIES):
        yield from describe([scene], dice.randrange(2**32), _SENTENCES)[0]


def _exchanged(kind: Kind, sentence: str, scene: Scene, dice: random.Random) -> str:
    """The sentence with something exchanged, false of the scene; "" if it offers nothing."""
    words = sentence.split()
    options = list(_relations(words, dice) if kind == "relations" else _attributes(words))
    dice.shuffle(options)
    for option in options:
        exchanged = " ".join(_with_articles(option))
        if not judge(exchanged, scene).is_true:
            return exchanged
    return ""


def _relations(words: list[str], dice: random.Random) -> Iterator[list[str]]:
    """The words with one relation turned round, where nothing else in them tells which is true."""
    claims = read_claims(" ".join(words))
    told = {name for facts in claims.mentions for name, _ in facts}
    start = 0
    while start < len(words):
        for phrase, name in _BY_LENGTH:
            if words[start : start + len(phrase)] == phrase:
                gives_away = {"row", "column"} if name in language.SPATIAL else {"size"}
                if not told & gives_away:
                    other = _counterpart(" ".join(phrase), name, dice)
                    yield [*words[:start], *other.split(), *words[start + len(phrase) :]]
                start += len(phrase) - 1
                break
        start += 1


def _counterpart(phrase: str, name: str, dice: random.Random) -> str:
    """What says the opposite, as often as the writer says this."""
    mine, others = (language.RELATION_PHRASES[which] for which in (name, _OPPOSITE[name]))
    return others[mine.index(phrase)] if len(mine) == len(others) else dice.choice(others)


def _attributes(words: list[str]) -> Iterator[list[str]]:
    """The words with two of one attribute exchanged."""
    if "another" in words:  # it tells of two digits that they are described alike
        return
    for i, first in enumerate(words):
        for j, second in enumerate(words[:i]):
            if first in _ATTRIBUTE and _ATTRIBUTE.get(second) == _ATTRIBUTE[first]:
                exchanged = list(words)
                exchanged[i], exchanged[j] = second, first
                yield exchanged


def _with_articles(words: list[str]) -> list[str]:
    """Each "a" as the word after it asks for."""
    return [
        ("an" if following in ("orange", "8", "image") else "a") if word in ("a", "an") else word
        for word, following in zip(words, [*words[1:], ""], strict=True)
    ]
