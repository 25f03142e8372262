"""Runs beside each other: seeds of one configuration together, and what tells groups apart."""

import csv
import io
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from jaxgen.display.report.ranks import p_value
from jaxgen.display.report.told import FigureWords, Told

_OF_SEEDS = ("seed", "replicas")
MISSING = "-"


@dataclass(frozen=True)
class Group:
    """Runs of one configuration, which differ in their seeds alone."""

    label: str
    runs: tuple[Told, ...]

    @property
    def seeds(self) -> int:
        """How many seeds it has in all."""
        return sum(len(run.seeds) for run in self.runs)

    def values(self, figure: str) -> list[float]:
        """A figure of each seed that has it."""
        found = [value for run in self.runs for value in run.figures.get(figure, ())]
        return [value for value in found if value is not None]

    def summary(self, figure: str) -> tuple[float, float | None, int] | None:
        """Mean, standard deviation (None of a single one), and number; None if there is none."""
        values = self.values(figure)
        if not values:
            return None
        spread = statistics.stdev(values) if len(values) > 1 else None
        return statistics.fmean(values), spread, len(values)

    def written(self, figure: str, words: FigureWords) -> str:
        """Mean and standard deviation as text."""
        found = self.summary(figure)
        if found is None:
            return MISSING
        return words.with_spread(*found[:2])


class Comparison:
    """Several runs, in groups."""

    def __init__(self, runs: Sequence[Told], by: str = "") -> None:
        """Takes the runs, in the order in which they were named, and a figure to compare by.

        Args:
            runs: one or more.
            by: of the figures; the main one if "".
        """
        self.runs, self._by = tuple(runs), by

    @cached_property
    def groups(self) -> list[Group]:
        """The groups; those of the best main figure first."""
        found: dict[str, list[Told]] = {}
        for run in self.runs:
            found.setdefault(json.dumps(_learnt(run), sort_keys=True), []).append(run)
        ordered = self._ordered([Group("", tuple(runs)) for runs in found.values()])
        return [
            replace(group, label=f"{chr(65 + i % 26)}{i // 26 or ''}")
            for i, group in enumerate(ordered)
        ]

    def _ordered(self, groups: Sequence[Group]) -> list[Group]:
        """Groups with the best main figure first; those without it last."""

        def place(group: Group) -> tuple[bool, float]:
            found = group.summary(self.main)
            if found is None:
                return True, 0.0
            return False, -found[0] if self.words(self.main).better == "higher" else found[0]

        return sorted(groups, key=place)

    @cached_property
    def figures(self) -> list[str]:
        """Every figure of any run, the most important first; those of training last."""
        known = dict.fromkeys(n for run in self.runs for n in run.words if n in run.figures)
        rest = dict.fromkeys(n for run in self.runs for n in run.figures)
        return [*known, *(name for name in rest if name not in known)]

    @cached_property
    def main(self) -> str:
        """The figure to compare by: of the most important ones the first that most runs have."""
        if self._by:
            return self._by
        ranked = [name for name in self.figures if self.words(name).better in ("lower", "higher")]
        counts = {
            name: sum(name in run.figures for run in self.runs) for name in ranked or self.figures
        }
        most = max(counts.values(), default=0)
        return next((name for name, count in counts.items() if count == most), "")

    def words(self, figure: str) -> FigureWords:
        """How to speak of a figure."""
        knowing = next((run for run in self.runs if figure in run.words), self.runs[0])
        return knowing.about(figure)

    def best(self, figure: str) -> Group | None:
        """The group with the best mean; None where none is better than another."""
        better = self.words(figure).better
        found = [(s[0], group) for group in self.groups if (s := group.summary(figure))]
        if better not in ("lower", "higher") or len({mean for mean, _ in found}) < 2:
            return None
        pick = max if better == "higher" else min
        return pick(found, key=lambda pair: pair[0])[1]

    def differences(self, group: Group, figure: str) -> float | None:
        """The rank test's p of a group against the best one; None where there is none to make.

        Sets of fewer than two seeds are not tested.
        """
        best = self.best(figure)
        if best is None or best is group:
            return None
        sets = best.values(figure), group.values(figure)
        return p_value(*sets) if min(map(len, sets)) > 1 else None

    @cached_property
    def changed(self) -> list[str]:
        """Settings in which the groups differ, and those in which runs do that learn the same."""
        names = dict.fromkeys(name for run in self.runs for name in run.config)
        return [
            name
            for name in names
            if name not in _OF_SEEDS
            and len({json.dumps(run.config.get(name)) for run in self.runs}) > 1
        ]

    def setting(self, group: Group, name: str) -> str:
        """What a group has of a setting; several where its runs differ in it."""
        values = dict.fromkeys(shown(run.config.get(name, MISSING)) for run in group.runs)
        return ", ".join(values)

    def csv(self) -> str:
        """A row for each seed of each run: where it stands, its settings that differ, figures."""
        written = io.StringIO(newline="")
        writer = csv.writer(written, lineterminator="\n")
        head = ["group", "run", "seed", "state", "step", *self.changed, *self.figures]
        writer.writerow(map(_cell, head))
        for group in self.groups:
            for run in group.runs:
                for index, seed in enumerate(run.seeds):
                    figures = [run.figures.get(name, []) for name in self.figures]
                    values = [own[index] if index < len(own) else None for own in figures]
                    settings = [shown(run.config.get(name, "")) for name in self.changed]
                    first = [group.label, run.name, seed, run.state, run.step]
                    writer.writerow([*map(_cell, [*first, *settings]), *map(_digits, values)])
        return written.getvalue()

    def as_json(self) -> dict[str, Any]:
        """The whole comparison as JSON values."""
        return {
            "main": self.main,
            "differences": self.changed,
            "groups": [
                {
                    "label": group.label,
                    "runs": [run.name for run in group.runs],
                    "seeds": [seed for run in group.runs for seed in run.seeds],
                    "states": [run.state for run in group.runs],
                    "settings": {n: group.runs[0].config.get(n) for n in self.changed},
                    "figures": {n: self._figure(group, n) for n in self.figures},
                }
                for group in self.groups
            ],
            "figures": {
                name: {"title": self.words(name).title, "better": self.words(name).better}
                for name in self.figures
            },
            "best": {n: group.label for n in self.figures if (group := self.best(n))},
        }

    def _figure(self, group: Group, name: str) -> dict[str, Any] | None:
        found = group.summary(name)
        if found is None:
            return None
        mean, spread, count = found
        values = {"mean": mean, "std": spread, "seeds": count, "values": group.values(name)}
        return values | {"p": self.differences(group, name)}


def shown(value: Any) -> str:
    """A setting as text, of a bounded length."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _learnt(run: Told) -> dict[str, Any]:
    """What decides what a run learns, but for its seed."""
    free = tuple(f"{name}." for name in run.free)
    return {
        name: value
        for name, value in run.config.items()
        if name not in _OF_SEEDS and name not in run.free and not name.startswith(free)
    }


def _cell(value: Any) -> str:
    """Text that a spreadsheet takes for text."""
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and text != MISSING else text


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"
