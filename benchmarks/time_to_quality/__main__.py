"""Seconds from the shell's prompt until samples or captions are good enough, beside PyTorch twins.

    python -m benchmarks.time_to_quality
    python -m benchmarks.time_to_quality --only dcgan --recipes default --seeds 0
    python -m benchmarks.time_to_quality --targets dcgan=3 --warm
    python -m benchmarks.time_to_quality --only dcgan --sides jaxgen --recipes bfloat16 half_batch

Each attempt is a process of its own: Python's start, imports, loading of the data, compilation and
training count, with an empty cache of compiled programs unless `--warm` fills it first. Data sets
are in jaxgen's cache on both sides, as after a first run. Both sides are evaluated by jaxgen at the
same steps; the time is that of the first evaluation that reaches the target, and what evaluations
take is left out of it. On the PyTorch side the import of jaxgen is left out too. Pictures,
checkpoints and logs are made by neither.

"default" and "best" are compared; the recipes between them have the changes one after the other.
The twins have the recipe's numbers, batches, losses and distributions of initial values; a recipe
in bfloat16 is PyTorch's autocast there. The table has medians over the seeds; an attempt that does
not get there within its steps counts as slower than any that does. One row is added to the JSON
file after each attempt; what it holds already is not measured again. Needs PyTorch.
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from benchmarks import report
from benchmarks.records import Records, Row
from benchmarks.time_to_quality.recipes import GOALS, RECIPES, Changes, Goal, recipe_config
from benchmarks.time_to_quality.table import outcome, table
from jaxgen.commands.guard import run_guarded
from jaxgen.errors import JaxgenError

SIDES = ("jaxgen", "torch")
_PACKAGES = ("jax", "flax", "torch")


def attempt(flags: list[str], compiled: Path) -> list[Row]:
    """Runs an attempt in a process of its own, and gives what it tells.

    Args:
        flags: of `benchmarks.time_to_quality.attempt`, all but `--started`.
        compiled: folder of compiled programs.

    Raises:
        JaxgenError: it fails.
    """
    events, last_words = [], deque(maxlen=5)
    module = "benchmarks.time_to_quality.attempt"
    started = time.monotonic()  # of the system: that of all its processes
    process = subprocess.Popen(
        [sys.executable, "-m", module, *flags, "--started", str(started)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(compiled)},
    )
    with process, process.stdout as lines:
        try:
            for line in lines:
                if line.startswith('{"step": '):
                    events.append(json.loads(line))
                else:
                    last_words.append(line.strip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        said = " / ".join(last_words)
        raise JaxgenError(f"python -m {module} {' '.join(flags)} ended so: {said}")
    return events


def measured(flags: list[str], is_warm: bool, folder: Path) -> Row:
    """What is to be known of an attempt: when it began to train, and all of its evaluations."""
    # First a start that is not timed: data sets are made, and libraries are in the disk's cache.
    compiled = folder / "prepared" if is_warm else Path(tempfile.mkdtemp(dir=folder))
    attempt([*flags, "--stop", "compiled" if is_warm else "loaded"], folder / "prepared")
    load = round(os.getloadavg()[0], 2)
    begins, *evaluations = attempt(flags, compiled)
    return {
        "first_step_begins": begins["seconds"],
        "evaluations": evaluations,
        "machine": report.machine() | {"load": load},
        "date": time.strftime("%Y-%m-%d"),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def goals(targets: list[str]) -> dict[str, Goal]:
    """The goals with other targets, each as NAME=NUMBER."""
    changed = dict(GOALS)
    for text in targets:
        name, _, number = text.partition("=")
        try:
            changed[name] = replace(GOALS[name], target=float(number))
        except (KeyError, ValueError) as error:
            raise JaxgenError(
                f"--targets {text}: give NAME=NUMBER, NAME one of {', '.join(GOALS)}"
            ) from error
    return changed


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.time_to_quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recipes = list(dict.fromkeys(name for found in RECIPES.values() for name in found))
    flags.add_argument("--only", nargs="+", choices=GOALS, default=list(GOALS), metavar="NAME")
    flags.add_argument("--recipes", nargs="+", choices=recipes, default=["default", "best"])
    flags.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    flags.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    flags.add_argument("--targets", nargs="+", default=[], metavar="NAME=NUMBER")
    flags.add_argument("--steps", type=int, help="instead of the recipe's")
    flags.add_argument("--evaluate-every", type=int, help="steps, instead of the goal's")
    flags.add_argument("--samples", type=int, help="of an evaluation, instead of the recipe's")
    flags.add_argument("--warm", action="store_true", help="with a filled compilation cache")
    flags.add_argument("--out", type=Path, default=Path("time_to_quality.json"))
    return flags


def main() -> None:
    """Measure what the file does not hold yet, seed by seed and side by side, and print a table."""
    args = _flags().parse_args()
    if "torch" in args.sides and not find_spec("torch"):
        raise JaxgenError("the twins need PyTorch: pip install 'jaxgen[bench]'")
    wanted, start = goals(args.targets), "warm" if args.warm else "cold"
    changes = Changes(args.steps, args.evaluate_every, args.samples)
    kept = Records(args.out, decisive=["evaluate_every", "evaluate_samples", "evaluate_images"])
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="jaxgen-benchmarks-") as folder:
        for name, seed, recipe, side in product(args.only, args.seeds, args.recipes, args.sides):
            if recipe not in RECIPES[name]:
                continue
            goal, config = wanted[name], recipe_config(name, recipe, seed, changes)
            identity = {
                "experiment": name,
                "recipe": recipe,
                "side": side,
                "seed": seed,
                "start": start,
                "figure": goal.figure,
                "target": goal.target,
            }
            flags = [name, recipe, "--side", side, "--seed", str(seed)]
            flags += ["--target", repr(goal.target), "--steps", str(config.steps)]
            flags += ["--evaluate-every", str(config.evaluate_every)]
            flags += ["--samples", str(args.samples)] if args.samples else []
            measure = partial(measured, flags, args.warm, Path(folder))
            row = kept.row(identity, config, measure)
            rows.append(row)
            print(f"{name} {recipe} seed {seed} {side}: {outcome(row, goal)}", flush=True)
    if not rows:
        raise JaxgenError(f"--recipes: {', '.join(args.only)} has none of these names")
    print(f"\n{table(rows, wanted)}")


if __name__ == "__main__":
    run_guarded(main)
