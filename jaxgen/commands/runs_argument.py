"""What the commands that read several runs have in common: nothing in a run is changed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxgen import settings
from jaxgen.errors import JaxgenError

MOST = 40


@dataclass(frozen=True)
class RunsArgument:
    """Runs to read."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """The folders of runs."""
    own: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(name="import")] = ()
    """A file or module of your own that the runs need; may be given several times."""

    def read(self, *, captions: bool) -> list[Any]:
        """What the runs tell, a `jaxgen.display.report.told.Told` each, with names of their own.

        Raises:
            JaxgenError: there are none or too many, one is named twice, or is not a run.
        """
        from jaxgen.training import told_run

        if not self.runs:
            raise JaxgenError("name the folders of one run or more")
        if len(self.runs) > MOST:
            raise JaxgenError(f"{len(self.runs)} runs are more than {MOST}: name fewer")
        places = [os.path.realpath(run) for run in self.runs]
        for place, run in zip(places, self.runs, strict=True):
            if places.count(place) > 1:
                raise JaxgenError(f"{run} is named twice")
        for place in self.own:
            settings.import_own(place)
        return [
            told_run.told(told_run.read(run), captions=captions, name=name)
            for run, name in zip(self.runs, names_of(places), strict=True)
        ]


def names_of(places: Sequence[str]) -> list[str]:
    """The last parts of different paths, as few of them as tell them apart."""
    parts = [Path(place).parts for place in places]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-count:]) for own in parts]
        if len(set(names)) == len(names):
            return names
    return list(places)
