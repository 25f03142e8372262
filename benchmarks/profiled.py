"""Where the time of a training step goes, by JAX's profiler, on one core.

    python -m benchmarks.profiled
    python -m benchmarks.profiled --only DCGAN --precision both --batch-sizes 25 64 128 512

The steps are those of `python -m benchmarks`, as training dispatches them. The process keeps to one
core, so that one operation runs at a time and their times add up to that of the step. The kinds:

- products: matrix products and convolutions, with what XLA has fused into them;
- elementwise: activations, norms, sums, losses, and their gradients;
- copies: transposed, joined, gathered and padded arrays, and conversions between precisions;
- random: noise, dropout, augmentation;
- optimizer: from gradients to new parameters;
- between: what is left of the time, in which no operation runs.
"""

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import jax

from benchmarks import caption_steps, gan_steps, report, training_loop
from benchmarks.compiled_text import Operation, Program
from benchmarks.measuring import timed
from benchmarks.precisions import CHOICES, Wanted, wanted
from jaxgen.commands.guard import run_guarded
from jaxgen.errors import JaxgenError
from jaxgen.training.task import Task, TrainConfig

KINDS = ("products", "elementwise", "copies", "random", "optimizer")
SECONDS = 1.0  # of steps that the profiler looks at, roughly
_CONTROL = {"while", "call", "conditional"}  # whose time is that of what they run
_PRODUCTS = {"dot", "convolution", "custom-call"}
_MOVES = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "reshape", "copy"),
    *("transpose", "slice", "dynamic-slice", "dynamic-update-slice", "concatenate", "pad"),
    *("broadcast", "gather", "reverse", "convert", "bitcast-convert", "iota", "fusion"),
}


class Step(NamedTuple):
    """A training step to look at."""

    name: str
    task: Callable[[], Task]
    config: TrainConfig


class Profile(NamedTuple):
    """Seconds of one step."""

    whole: float
    kinds: Counter[str]
    """Of operations of each kind."""


def steps(wanted: Wanted) -> list[Step]:
    """Every training step of the benchmarks at these sizes, in these precisions."""
    own = {name: gan_steps.experiment(key) for key, name in gan_steps.EXPERIMENTS.items()}
    found = []
    for (name, config), size, precision in product(
        [*own.items(), *caption_steps.CONFIGS.items()], wanted.batch_sizes, wanted.precisions
    ):
        config = replace(config, batch_size=size, precision=precision)
        task = config.task if name in own else partial(caption_steps.task_of, config)
        found.append(Step(name, task, config))
    return found


def kind(program: Program, operation: Operation) -> str:
    """What an operation does, by its place in the training and by what is fused into it."""
    inside = {one.opcode for one in _within(program, operation)}
    if inside & _PRODUCTS:
        return "products"
    if "/optimizer/" in operation.attributes:
        return "optimizer"
    if "shift-right-logical" in inside:  # of Threefry and of dropout's hash
        return "random"
    return "copies" if inside <= _MOVES else "elementwise"


def _within(program: Program, operation: Operation) -> Iterator[Operation]:
    yield operation
    if operation.opcode == "fusion":
        for name in operation.called:
            for one in program.computations.get(name, ()):
                yield from _within(program, one)


def profile(step: Step) -> Profile:
    """Looks at some steps of a training, the first of which is not among them."""
    loop = training_loop.loop_of(step.task(), step.config, gan_steps.CAPACITY)
    program = Program(loop.lowered().compile().as_text())
    kinds = {
        one.name: kind(program, one)
        for one, _ in program.operations(within=False)
        if one.opcode not in _CONTROL
    }
    training = training_loop.stepping(loop)
    training.run(1)
    count = max(2, min(loop.capacity, round(SECONDS / timed(training, 2))))
    quiet = jax.profiler.ProfileOptions()
    quiet.python_tracer_level = 0
    with tempfile.TemporaryDirectory(prefix="jaxgen-benchmarks-") as folder:
        with jax.profiler.trace(folder, profiler_options=quiet):
            whole = timed(training, count)
        found: Counter[str] = Counter()
        for name, seconds in _events(next(Path(folder).rglob("*.xplane.pb"))):
            if name in kinds:
                found[kinds[name]] += seconds / count
    return Profile(whole, found)


def _events(path: Path) -> Iterator[tuple[str, float]]:
    """Names of what ran, and for how many seconds."""
    for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            for event in line.events:
                yield event.name, event.duration_ns * 1e-9


def row(step: Step, seen: Profile) -> str:
    """A line of the table."""
    shares = [seen.kinds[one] / seen.whole for one in KINDS]
    cells = [f"{100 * one:.0f}" for one in (*shares, max(0.0, 1 - sum(shares)))]
    head = f"| {step.name} | {step.config.batch_size} | {step.config.precision} "
    return f"{head}| {1e3 * seen.whole:.3g} | {' | '.join(cells)} |"


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.profiled",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("--only", default="", metavar="TEXT", help="steps with it in their names")
    flags.add_argument("--precision", choices=CHOICES, default="both", help="of jaxgen")
    flags.add_argument("--batch-sizes", type=int, nargs="+", default=[25, 64, 128, 512])
    return flags


def main() -> None:
    """Profile, and print as it goes."""
    args = parser().parse_args()
    chosen = [one for one in steps(wanted(args)) if args.only in one.name]
    if not chosen:
        raise JaxgenError(f"--only {args.only} is in no name of a step")
    if not hasattr(os, "sched_setaffinity"):
        raise JaxgenError("this system lets no process keep to one core; Linux does")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before JAX counts cores
    about = report.machine()
    print(
        f"{about['cores']} core ({about['cpu']}), load {about['load']} at the start; shares in %\n"
    )
    print(f"| | batch | precision | ms a step | {' | '.join(KINDS)} | between |")
    print("|---" * (5 + len(KINDS)) + "|")
    for step in chosen:
        print(row(step, profile(step)), flush=True)


if __name__ == "__main__":
    run_guarded(main)
