"""What a kind of fault is, and how its trials are kept.

A trial is a function of the suite's seed and its own number, so that any failure can be had again:
`python -m tests.faults NAME --only NUMBER`.
"""

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np


class Failed(Exception):
    """A fault had an outcome that is not allowed; the message says which."""


class CannotRun(Exception):
    """This machine lacks what a campaign needs; the message says what."""


class Campaign(Protocol):
    """One kind of fault, tried many times."""

    name: str
    """Of the campaign, as on the command line."""
    about: str
    """What is tried, in a few words for the table."""
    trials: int
    """Of the long form."""
    short: int
    """Trials of the short form, which runs with the tests."""

    def prepare(self, folder: Path) -> None:
        """Make what the trials share; `folder` is kept between calls, and may hold it already.

        Raises:
            CannotRun: this machine lacks something.
        """

    def trial(self, number: int, chance: np.random.Generator, folder: Path) -> int | None:
        """One trial.

        Args:
            number: of the trial, from 0.
            chance: its own source of random numbers.
            folder: an empty folder of its own.

        Returns:
            How many faults it tried, if not one.

        Raises:
            Failed: the outcome is not one of those allowed.
        """


class Result(NamedTuple):
    """What came of a trial."""

    campaign: str
    seed: int
    trial: int
    failure: str
    """What was wrong; empty if it held."""
    seconds: float
    faults: int = 1
    """How many were tried."""


class Results:
    """The results of trials in a file, a line of JSON each, so that a long campaign can go on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Result]:
        """The newest result of each trial; a line that a kill cut short is left out."""
        found: dict[tuple[str, int, int], Result] = {}
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        for line in lines:
            try:
                result = Result(**json.loads(line))
            except (ValueError, TypeError):
                continue
            found[result[:3]] = result
        return list(found.values())

    def add(self, result: Result) -> None:
        """Append a result."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(result._asdict()) + "\n")


def chance_of(campaign: str, seed: int, trial: int) -> np.random.Generator:
    """The random numbers of a trial."""
    return np.random.default_rng([seed, zlib.crc32(campaign.encode()), trial])


def table(results: Iterable[Result], campaigns: Iterable[Campaign]) -> str:
    """Markdown: tried, held and failed of each campaign that has results."""
    lines = ["| fault | tried | held | failed |", "|---|---:|---:|---:|"]
    results = list(results)
    for campaign in campaigns:
        own = [result for result in results if result.campaign == campaign.name]
        if own:
            tried = sum(result.faults for result in own)
            failed = sum(bool(result.failure) for result in own)
            lines.append(f"| {campaign.about} | {tried:,} | {tried - failed:,} | {failed:,} |")
    return "\n".join(lines)
