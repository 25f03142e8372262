"""The minimax game f(x, y) = x y: alternating steps of size 1 cycle, simultaneous ones diverge.

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; Mescheder et al. 2018,
https://arxiv.org/abs/1801.04406 (convergence of the two kinds of updates).

    python -m experiments.minimax

Takes a few seconds. Expect the cycle of period 6 in the table, never nearer to (0, 0) than 1.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from jaxgen.commands import cli
from jaxgen.errors import JaxgenError
from jaxgen.gan import minimax
from jaxgen.settings import flag, setting

_MOST_GAMES = 12  # columns of the picture


@dataclass(frozen=True)
class MinimaxConfig:
    """The game's numbers."""

    workdir: str = "runs/minimax"
    """Where orbit.png goes."""
    steps: int = setting(6, least=1, most=1000)
    """Updates of each player in the table; the picture shows 10 times as many."""
    step_sizes: tuple[float, ...] = setting((1.0, 0.5, 0.1), above=0)
    """Step sizes to play with."""

    def check_together(self) -> None:
        """Raise JaxgenError for more games than a picture shows, or none, or no folder."""
        if not 1 <= len(self.step_sizes) <= _MOST_GAMES:
            raise JaxgenError(
                f"{flag('step_sizes')} needs 1 to {_MOST_GAMES} numbers, got {len(self.step_sizes)}"
            )
        if not self.workdir or Path(self.workdir).is_file():
            raise JaxgenError(f"{flag('workdir')} must name a folder, got {self.workdir!r}")


def main() -> None:
    """Print a table for each kind of update and step size, and draw the orbits."""
    config = cli.parse_command(MinimaxConfig, sys.argv[1:], "python -m experiments.minimax")
    workdir = Path(config.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    for step_size in config.step_sizes:
        for simultaneous in (False, True):
            print(f"{'simultaneous' if simultaneous else 'alternating'}, step size {step_size:g}")
            print(minimax.table(minimax.play(step_size, config.steps, simultaneous)), end="\n\n")
    minimax.draw(workdir / "orbit.png", config.step_sizes, 10 * config.steps)
    print(f"picture {workdir / 'orbit.png'}")


if __name__ == "__main__":
    cli.run_guarded(main)
