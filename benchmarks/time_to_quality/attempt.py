"""One attempt, in a process of its own: trains one side until it is good enough, and tells.

    python -m benchmarks.time_to_quality.attempt dcgan default --side jaxgen --seed 0 --target 2.5

Each evaluation is a line of JSON: the step, the seconds up to it and the figure. They count from
`--started`, a moment of the system's monotonic clock, and leave out what is spent on evaluations,
and on the PyTorch side on importing jaxgen, whose data and figures a program of PyTorch's own would
have from elsewhere. Import of PyTorch or JAX, loading of the data, initialisation and compilation
are all in.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

Stop = Literal["loaded", "compiled", ""]


class Clock:
    """Seconds since the process was asked for, without those that are not to count."""

    def __init__(self, started: float) -> None:
        self._started, self._left_out = started, 0.0

    def seconds(self) -> float:
        """Those that count, up to now."""
        return time.monotonic() - self._started - self._left_out

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """What happens within does not count."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self._left_out += time.monotonic() - begin


class Attempt:
    """What a side reports to while it trains."""

    def __init__(self, clock: Clock, figure: str, is_reached: Callable[[float], bool]) -> None:
        """Take the clock, the figure that counts, and when it is good enough."""
        self.clock, self._figure, self._is_reached = clock, figure, is_reached

    def begins(self) -> None:
        """The first step is next."""
        self._tell(step=0, seconds=self.clock.seconds())

    def is_over(self, step: int, measure: Callable[[], dict[str, float]]) -> bool:
        """Evaluate after `step` steps; whether the figure is good enough."""
        seconds = self.clock.seconds()
        with self.clock.stopped():
            figure = float(measure()[self._figure])
            reached = self._is_reached(figure)
            self._tell(step=step, seconds=seconds, figure=figure, reached=reached)
        return reached

    def _tell(self, **event: Any) -> None:
        print(json.dumps(event), flush=True)


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.time_to_quality.attempt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("experiment")
    flags.add_argument("recipe")
    flags.add_argument("--side", choices=("jaxgen", "torch"), required=True)
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--target", type=float, required=True)
    flags.add_argument("--steps", type=int)
    flags.add_argument("--evaluate-every", type=int)
    flags.add_argument("--samples", type=int)
    flags.add_argument("--started", type=float, help="of time.monotonic(); now by default")
    flags.add_argument("--stop", choices=("loaded", "compiled"), default="", help="so early")
    return flags


def main() -> None:
    """Train until it is good enough, or to the last step."""
    args = _flags().parse_args()
    clock = Clock(time.monotonic() if args.started is None else args.started)
    if args.side == "torch":
        import torch

        torch.set_num_threads(os.cpu_count() or 1)
        with clock.stopped():
            from benchmarks.time_to_quality import torch_side as side
            from benchmarks.time_to_quality.recipes import GOALS, Changes, recipe_config
    else:
        from benchmarks.time_to_quality import jaxgen_side as side
        from benchmarks.time_to_quality.recipes import GOALS, Changes, recipe_config
    from dataclasses import replace

    goal = replace(GOALS[args.experiment], target=args.target)
    changes = Changes(args.steps, args.evaluate_every, args.samples)
    config = recipe_config(args.experiment, args.recipe, args.seed, changes)
    side.train(config, Attempt(clock, goal.figure, goal.is_reached), args.stop)


if __name__ == "__main__":
    sys.exit(main())
