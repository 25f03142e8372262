"""A lexer: of several rules the one that matches most text wins, of equal ones the first.

Python's `re` takes the first alternative that fits, not the longest, so rules that compete by
length need their own automaton. It is built while it runs: a set of places in the rules becomes a
state when text first leads there, and text of one language soon leads to known states only.

The patterns are those of `re`, as far as they go: characters, `\\` before a sign, sets `[a-z]` and
`[^a-z]`, groups, `|`, `?`, `*`, `+`, `{2,4}`, `(?i:...)` around words whose case does not matter,
and `{name}`, a pattern that has a name.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LAST = 0xFFFF
_OTHER_CASES = {"s": "\u017f", "k": "\u212a", "i": "\u0130\u0131"}  # whose upper or lower they are

Ranges = tuple[tuple[int, int], ...]
"""Characters as first and last code points, ascending and apart."""


@dataclass
class _State:
    """What the rules have come to: places in them, and the rule that would end here."""

    places: frozenset[int]
    rule: int | None
    next: dict[int, "_State | None"] = field(default_factory=dict)


class Lexer:
    """Finds which rule matches at a place, and how far."""

    def __init__(self, rules: Sequence[str], named: Mapping[str, str]) -> None:
        """Take patterns, the earlier the stronger, and those that `{name}` stands for.

        Text is of code units up to U+FFFF: characters beyond are two of them.

        Raises:
            ValueError: a pattern is not of the form that the module describes.
        """
        self._named = named
        self._sets: dict[Ranges, int] = {}
        self._empty: list[list[int]] = []  # places that are reached without a character
        self._moves: list[tuple[int, int] | None] = []  # the set that leads on, and where to
        self._ends: dict[int, int] = {}
        starts = []
        for number, pattern in enumerate(rules):
            first, last = self._parsed(pattern)
            self._ends[last] = number
            starts.append(first)
        self._starts = list(self._sets)
        self._classes: dict[str, int] = {}
        self._signatures: dict[tuple[bool, ...], int] = {}
        self._members: list[tuple[bool, ...]] = []
        self._states: dict[frozenset[int], _State] = {}
        self.first = self._state(starts)

    def match(self, text: str, start: int) -> tuple[int, int] | None:
        """The rule that matches most of `text` from `start` on, and the end of what it matches."""
        state, found = self.first, None
        classes = self._classes
        for place in range(start, len(text)):
            mark = text[place]
            kind = classes.get(mark)
            if kind is None:
                kind = self.kind(mark)
            try:
                after = state.next[kind]
            except KeyError:
                after = self.after(state, kind)
            if after is None:
                break
            state = after
            if state.rule is not None:
                found = state.rule, place + 1
        return found

    def kind(self, mark: str) -> int:
        """A number of the characters that no rule tells from `mark`."""
        code = ord(mark)
        signature = tuple(_holds(ranges, code) for ranges in self._starts)
        kind = self._signatures.setdefault(signature, len(self._signatures))
        if kind == len(self._members):
            self._members.append(signature)
        self._classes[mark] = kind
        return kind

    def after(self, state: _State, kind: int) -> "_State | None":
        """Where a character of a kind leads."""
        holds = self._members[kind]
        targets = [
            move[1] for place in state.places if (move := self._moves[place]) and holds[move[0]]
        ]
        state.next[kind] = self._state(targets) if targets else None
        return state.next[kind]

    def _state(self, places: Sequence[int]) -> _State:
        reached, waiting = set(places), list(places)
        while waiting:
            for other in self._empty[waiting.pop()]:
                if other not in reached:
                    reached.add(other)
                    waiting.append(other)
        key = frozenset(place for place in reached if self._moves[place] or place in self._ends)
        if key not in self._states:
            rule = min((self._ends[place] for place in key if place in self._ends), default=None)
            self._states[key] = _State(key, rule)
        return self._states[key]

    def _place(self) -> int:
        self._empty.append([])
        self._moves.append(None)
        return len(self._empty) - 1

    def _parsed(self, pattern: str) -> tuple[int, int]:
        parser = _Parser(self, pattern)
        part = parser.either(False)
        if parser.rest:
            raise ValueError(f"{pattern!r} has {parser.rest!r} left")
        return part

    def _one_of(self, ranges: Ranges) -> tuple[int, int]:
        number = self._sets.setdefault(ranges, len(self._sets))
        first, last = self._place(), self._place()
        self._moves[first] = (number, last)
        return first, last

    def _join(self, *pairs: tuple[int, int]) -> None:
        for start, end in pairs:
            self._empty[start].append(end)


class _Parser:
    """Reads one pattern into places of a lexer; each part has a first and a last place."""

    def __init__(self, lexer: Lexer, pattern: str) -> None:
        self._lexer, self.rest = lexer, pattern

    def _takes(self, sign: str) -> bool:
        found = self.rest.startswith(sign)
        self.rest = self.rest[len(sign) :] if found else self.rest
        return found

    def _next(self) -> str:
        mark, self.rest = self.rest[:1], self.rest[1:]
        if mark != "\\":
            return mark
        mark, self.rest = self.rest[:1], self.rest[1:]
        return {"n": "\n", "r": "\r", "t": "\t"}.get(mark, mark)

    def either(self, any_case: bool) -> tuple[int, int]:
        first, last = self._lexer._place(), self._lexer._place()
        while True:
            start, end = self._sequence(any_case)
            self._lexer._join((first, start), (end, last))
            if not self._takes("|"):
                return first, last

    def _sequence(self, any_case: bool) -> tuple[int, int]:
        first = last = self._lexer._place()
        while self.rest and self.rest[0] not in "|)":
            start, end = self._repeated(any_case)
            self._lexer._join((last, start))
            last = end
        return first, last

    def _repeated(self, any_case: bool) -> tuple[int, int]:
        before = self.rest
        part = self._single(any_case)
        text = before[: len(before) - len(self.rest)]
        least, most = 1, 1
        if self._takes("?"):
            least = 0
        elif self._takes("*"):
            least, most = 0, None
        elif self._takes("+"):
            most = None
        elif self.rest[:1] == "{" and self.rest[1:2].isdigit():
            inside, _, self.rest = self.rest[1:].partition("}")
            low, comma, high = inside.partition(",")
            least, most = int(low), int(high) if comma else int(low)
        else:
            return part
        join, place = self._lexer._join, self._lexer._place
        first = last = place()
        end = place()
        for count in range(max(least, most or 1)):
            if count:
                part = self._copy(text, any_case)
            if count >= least:
                join((last, end))
            join((last, part[0]))
            last = part[1]
        if most is None:
            join((last, part[0]))
        join((last, end))
        return first, end

    def _copy(self, text: str, any_case: bool) -> tuple[int, int]:
        return _Parser(self._lexer, text)._single(any_case)

    def _single(self, any_case: bool) -> tuple[int, int]:
        lexer = self._lexer
        if self._takes("("):
            part = self.either(self._takes("?i:") or any_case)
            if not self._takes(")"):
                raise ValueError(f"a group has no end before {self.rest!r}")
            return part
        if self.rest[0] == "[":
            return lexer._one_of(self._set())
        if self.rest[0] == "{":
            name, _, self.rest = self.rest[1:].partition("}")
            inner = _Parser(lexer, lexer._named[name])
            part = inner.either(any_case)
            if inner.rest:
                raise ValueError(f"{{{name}}} has {inner.rest!r} left")
            return part
        mark = self._next()
        if not any_case:
            return lexer._one_of(_merged([(ord(mark), ord(mark))]))
        cases = {mark.lower(), mark.upper(), *_OTHER_CASES.get(mark.lower(), "")}
        return lexer._one_of(_merged([(ord(case), ord(case)) for case in cases]))

    def _set(self) -> Ranges:
        self._takes("[")
        negated, found = self._takes("^"), []
        while not self._takes("]"):
            if self.rest[0] == "{":
                name, _, self.rest = self.rest[1:].partition("}")
                named = self._lexer._named[name]
                found += _Parser(self._lexer, named)._set()
                continue
            low = high = self._next()
            if self.rest[:1] == "-" and self.rest[1:2] != "]":
                self._takes("-")
                high = self._next()
            found.append((ord(low), ord(high)))
        ranges = _merged(found)
        return _without(ranges) if negated else ranges


def _merged(ranges: Sequence[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _without(ranges: Ranges) -> Ranges:
    """All characters but these."""
    outside, start = [], 0
    for low, high in ranges:
        if start < low:
            outside.append((start, low - 1))
        start = high + 1
    return (*outside, (start, _LAST)) if start <= _LAST else tuple(outside)


def _holds(ranges: Ranges, code: int) -> bool:
    place = bisect_right(ranges, (code, _LAST + 1)) - 1
    return place >= 0 and code <= ranges[place][1]
