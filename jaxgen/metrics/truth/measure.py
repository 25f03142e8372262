"""Whether captions of scenes are true: each is read back to facts and checked against its scene.

A caption is true when the digits that it mentions can be matched with different digits of the
scene so that everything stated holds. One that states nothing, or cannot be read, is not true.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

from jaxgen.data.scenes.language import relation_holds
from jaxgen.data.scenes.rendering import SLOTS, Digit, Scene
from jaxgen.metrics.truth.scene_claims import Claims, Group, UnreadableCaption, read_claims


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How one caption fared; numbers of facts under the matching that makes most of them true."""

    is_true: bool = False
    is_readable: bool = False
    stated: int = 0
    """Facts stated: attributes of digits, relations and numbers of digits."""
    right: int = 0
    """Of those, the ones that are true."""
    told: int = 0
    """Of the scene's own facts (5 for each digit), the ones that were stated."""
    relations: int = 0
    relations_right: int = 0


def judge(caption: str, scene: Scene) -> Verdict:
    """Checks one caption against its scene.

    Args:
        caption: lower-case words separated by spaces, without the tokens of the vocabulary.
        scene: what is in the picture.

    Returns:
        Verdict.
    """
    try:
        claims = read_claims(caption)
    except UnreadableCaption:
        return Verdict()
    return max(
        (_check(claims, matched, scene) for matched in _matchings(len(claims.mentions), scene)),
        key=lambda verdict: (verdict.is_true, verdict.right, verdict.told),
    )


def measure(captions: Sequence[str], scenes: Sequence[Scene]) -> dict[str, float]:
    """Shares over captions and their scenes.

    Args:
        captions: as for `judge`.
        scenes: the scene of each caption.

    Returns:
        Shares in [0, 1], each over all scenes and, with the suffix `_1`, `_2` or `_3`, over those
        of that many digits; one whose denominator is zero is left out.
        `true`: captions entirely true. `facts_true`: stated facts that are true. `facts_told`: the
        scenes' facts (value, colour, size, row and column of each digit) that were stated.
        `relations_true`: stated relations that are true. `with_relation`: captions that state one.
        `unreadable`: captions that cannot be read.

    Raises:
        ValueError: the numbers of captions and scenes differ.
    """
    judged = [(judge(c, scene), scene) for c, scene in zip(captions, scenes, strict=True)]
    shares = _shares(judged)
    for digits in range(1, SLOTS + 1):
        some = [(verdict, scene) for verdict, scene in judged if len(scene) == digits]
        shares |= {f"{name}_{digits}": share for name, share in _shares(some).items()}
    return shares


def table(shares: Mapping[str, float]) -> str:
    """What `measure` returns, in percent: a row for all scenes and for each number of digits."""
    names = ("true", "facts_true", "facts_told", "relations_true", "with_relation", "unreadable")
    lines = [" " * 9 + "".join(f"{name.replace('_', ' '):>16}" for name in names)]
    for suffix in ("", *(f"_{digits}" for digits in range(1, SLOTS + 1))):
        if f"true{suffix}" in shares:
            found = [shares.get(name + suffix) for name in names]
            cells = ["-" if share is None else f"{100 * share:.1f} %" for share in found]
            row = f"{suffix[1:]} digit{'s' * (suffix != '_1')}" if suffix else "all"
            lines.append(f"{row:9}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def _matchings(mentions: int, scene: Scene) -> Iterator[tuple[Digit | None, ...]]:
    """Every way to match mentions with different digits; None where the digits do not suffice."""
    if mentions <= len(scene):
        yield from itertools.permutations(scene, mentions)
        return
    for places in itertools.permutations(range(mentions), len(scene)):
        digit_at = dict(zip(places, scene, strict=True))
        yield tuple(digit_at.get(place) for place in range(mentions))


def _check(claims: Claims, matched: tuple[Digit | None, ...], scene: Scene) -> Verdict:
    attributes = [
        digit is not None and getattr(digit, name) == value
        for digit, facts in zip(matched, claims.mentions, strict=True)
        for name, value in facts
    ]
    relations = [
        (one := matched[subject]) is not None
        and (another := matched[other]) is not None
        and relation_holds(name, one, another)
        for name, subject, other in claims.relations
    ]
    groups = [is_right for group in claims.groups for is_right in _check_group(group, scene)]
    facts = attributes + relations + groups
    shared = {
        (digit, fact)
        for group in claims.groups
        for digit in scene
        for fact in group.facts
        if getattr(digit, fact[0]) == fact[1] and all(_check_group(group, scene))
    }
    own = {
        (digit, fact)
        for digit, facts_of_it in zip(matched, claims.mentions, strict=True)
        for fact in facts_of_it
        if digit is not None and getattr(digit, fact[0]) == fact[1]
    }
    return Verdict(
        is_true=bool(facts) and all(facts) and None not in matched,
        is_readable=True,
        stated=len(facts),
        right=sum(facts),
        told=len(own | shared),
        relations=len(relations),
        relations_right=sum(relations),
    )


def _check_group(group: Group, scene: Scene) -> list[bool]:
    """The number is one statement and, where it is about every digit, each fact is another."""
    having = [digit for digit in scene if all(getattr(digit, name) == v for name, v in group.facts)]
    if not group.every:
        return [len(having) == group.count]
    facts = [all(getattr(digit, name) == v for digit in scene) for name, v in group.facts]
    return facts if group.count is None else [len(scene) == group.count, *facts]


def _shares(judged: Sequence[tuple[Verdict, Scene]]) -> dict[str, float]:
    verdicts = [verdict for verdict, _ in judged]
    attributes = sum(len(scene) for _, scene in judged) * len(Digit._fields)
    sums = {
        "true": (sum(v.is_true for v in verdicts), len(verdicts)),
        "facts_true": (sum(v.right for v in verdicts), sum(v.stated for v in verdicts)),
        "facts_told": (sum(v.told for v in verdicts), attributes),
        "relations_true": (
            sum(v.relations_right for v in verdicts),
            sum(v.relations for v in verdicts),
        ),
        "with_relation": (sum(v.relations > 0 for v in verdicts), len(verdicts)),
        "unreadable": (sum(not v.is_readable for v in verdicts), len(verdicts)),
    }
    return {name: part / whole for name, (part, whole) in sums.items() if whole}
