"""What replicas cost: so many seeds in one program beside as many single runs.

    python -m benchmarks.replicas
    python -m benchmarks.replicas --experiment caption_lstm --replicas 8 --rounds 5
    python -m benchmarks.replicas --devices-of-one 1   # where there are several

Steps first, in one process: a round dispatches the steps of each single run and those of all
replicas in turn, and its ratio is the time of the replicas divided by that of the single runs
together; short dispatches are what a busy machine disturbs least. Beside it, whether both have the
same bits, and else how far they are apart: the largest difference of a metric in the first
dispatch, which has `--steps` steps, and that of the states after it, as a share of their norm. Then
whole commands with an empty cache: one with `--replicas`, and the same experiment once
for each seed; wall time and peak memory.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks import commands, report
from benchmarks.accelerators.programs import experiments
from benchmarks.gan_steps import experiment
from benchmarks.measuring import Contender, timed
from jaxgen.commands.guard import run_guarded
from jaxgen.errors import JaxgenError
from jaxgen.settings.memory import in_words
from jaxgen.training.loop import Loop
from jaxgen.training.task import MOST_REPLICAS, Task, TrainConfig

PyTree = Any


class Trained:
    """A training under way, a dispatch after the other."""

    def __init__(self, task: Task, config: TrainConfig) -> None:
        self.loop, self._step = Loop(task, config), 0
        self.state, self.history = self.loop.initial_state(), {}
        program = self.loop.lowered().compile()
        told = program.memory_analysis()
        self.needed = told.argument_size_in_bytes + told.temp_size_in_bytes
        """Bytes of the program: its arguments, which results replace, and what it works in."""

    def run(self, times: int) -> None:
        """So many dispatches."""
        for _ in range(times):
            count = self.loop.capacity
            self.state, history = self.loop.dispatch(self.state, self._step, count)
            jax.block_until_ready((self.state, history))
            self._step += count
            if not self.history:
                self.history = {name: np.asarray(row) for name, row in history.items()}


class Steps(NamedTuple):
    """Seconds of a dispatch, a round each, and what else was seen."""

    together: list[float]
    alone: list[float]
    needed: tuple[int, int]
    """Bytes of the program of all replicas, and of that of one."""
    difference: float
    """Largest of a metric in the first dispatch; 0 also where all bits are the same."""
    apart: float
    """Largest distance of a state after it, as a share of its norm."""
    same_bits: bool
    """Of every metric and of the states after all rounds."""


def steps(config: TrainConfig, rounds: int, devices: int = 0) -> Steps:
    """Measure dispatches of `config`, which has replicas, beside those of its seeds.

    Args:
        config: of the replicas.
        rounds: how often.
        devices: of each single run; 0 for all there are.
    """
    task = config.task()
    all_of_them = Trained(task, config)
    alike = replace(config, replicas=1, devices=devices)
    singles = [Trained(task, replace(alike, seed=seed)) for seed in config.seeds]
    contenders = [Contender("single", one.run) for one in singles]
    together, alone = [], []
    for one in (all_of_them, *singles):
        one.run(1)
    apart = max(
        float(np.linalg.norm(mine - theirs) / np.linalg.norm(theirs))
        for mine, theirs in _states(all_of_them, singles)
    )
    for _ in range(rounds):
        alone.append(sum(timed(contender, 1) for contender in contenders))
        together.append(timed(Contender("replicas", all_of_them.run), 1))
    pairs = [
        (all_of_them.history[name][index], one.history[name])
        for index, one in enumerate(singles)
        for name in one.history
    ]
    same = all(np.array_equal(mine, theirs) for mine, theirs in pairs)
    same = same and all(np.array_equal(*pair) for pair in _states(all_of_them, singles))
    difference = max(float(np.abs(mine - theirs).max()) for mine, theirs in pairs)
    needed = all_of_them.needed, singles[0].needed
    return Steps(together, alone, needed, difference, apart, same)


def _states(together: Trained, singles: list[Trained]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All numbers of each replica's state, beside those of its single run: (n,) float64 each."""

    def flat(state: PyTree) -> np.ndarray:
        return np.concatenate([np.ravel(x).astype(np.float64) for x in jax.tree.leaves(state)])

    for index, one in enumerate(singles):
        yield flat(together.loop.replica(together.state, index)), flat(one.state)


def whole_commands(name: str, replicas: int, count: int) -> tuple[list[float], list[float]]:
    """Wall seconds and peak MiB: of one command with replicas, then of one for each seed."""
    with tempfile.TemporaryDirectory(prefix="jaxgen-benchmarks-") as folder:

        def command(cache: str, *flags: str) -> commands.Watched:
            place = ["--workdir", str(Path(folder) / "_".join(flags)), "--steps", str(count)]
            environment = {"JAXGEN_CACHE_DIR": str(Path(folder) / cache)}
            return commands.watch([f"experiments.{name}", *place, *flags], environment)

        together = command("first", "--replicas", str(replicas))
        seeds = [experiment(name).seed + index for index in range(replicas)]
        alone = [command("second", "--seed", str(seed)) for seed in seeds]
    seconds = [together.exit_seconds, sum(one.exit_seconds for one in alone)]
    return seconds, [together.peak_mib, max(one.peak_mib for one in alone)]


def _ratio(own: list[float], others: list[float]) -> str:
    ratios = [mine / theirs for mine, theirs in zip(own, others, strict=True)]
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.replicas",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("--experiment", choices=experiments(), default="vanilla_gan")
    flags.add_argument("--replicas", type=int, default=4)
    flags.add_argument("--rounds", type=int, default=40)
    flags.add_argument("--steps", type=int, default=10, help="of a dispatch (10)")
    flags.add_argument("--devices-of-one", type=int, default=0, help="of a single run; 0: all")
    flags.add_argument("--command-steps", type=int, default=200, help="0 leaves commands out")
    return flags


def main() -> None:
    """Measure, and print it."""
    args = parser().parse_args()
    if not 2 <= args.replicas <= MOST_REPLICAS or args.rounds < 1 or args.steps < 2:
        raise JaxgenError(
            f"give 2 to {MOST_REPLICAS} --replicas, at least 1 of --rounds and 2 --steps"
        )
    about = report.machine()
    print(f"{about['cores']} cores ({about['cpu']}), load {about['load']} at the start")
    most = (args.rounds + 1) * args.steps
    config = replace(
        experiment(args.experiment),
        replicas=args.replicas,
        log_every=args.steps,
        steps=max(most, experiment(args.experiment).steps),
    )
    seen = steps(config, args.rounds, args.devices_of_one)
    far = f"metrics differ by {seen.difference:.2g}, states by {seen.apart:.2g} of their norm"
    print(
        f"{args.experiment}, {args.replicas} replicas beside {args.replicas} single runs, "
        f"{args.steps} steps of each, median of {args.rounds} rounds:\n"
        f"  seconds {statistics.median(seen.together):.3f} beside "
        f"{statistics.median(seen.alone):.3f}, ratio {_ratio(seen.together, seen.alone)}\n"
        f"  program {in_words(seen.needed[0])}, of one {in_words(seen.needed[1])}\n"
        + ("  the same bits" if seen.same_bits else f"  {far}")
    )
    if args.command_steps:
        seconds, peaks = whole_commands(args.experiment, args.replicas, args.command_steps)
        print(
            f"commands of {args.command_steps} steps: {seconds[0]:.1f} s beside {seconds[1]:.1f}, "
            f"ratio {seconds[0] / seconds[1]:.3f}; peak {peaks[0]:.0f} MiB, of one {peaks[1]:.0f}"
        )


if __name__ == "__main__":
    run_guarded(main)
