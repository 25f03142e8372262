"""Whether a change moved any bit: the first steps of the experiments, by two checkouts in turn.

    git worktree add ../before HEAD~3
    python -m benchmarks.same_bits ../before
    python -m benchmarks.same_bits ../before --only dcgan --steps 50

Each checkout trains in a process of its own, in its own folder, through the command that a user
types. What is compared is the checksum of the whole state (parameters, moments, averages, running
statistics) that `summary.json` holds, and every metric of every step that both have. Both use one
cache, so that scenes are made once. Every experiment is there but `caption_self_critical`, which
goes on from a finished run, and `fashion_r3gan`, whose data have to be installed. Ends
with 1 if anything differs.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from jaxgen.commands.guard import run_guarded
from jaxgen.errors import JaxgenError

RUNS: dict[str, list[str]] = {
    "vanilla_gan": [],
    "lsgan": [],
    "mlp_gan": [],
    "conditional_gan": [],
    "dcgan": [],
    "conditional_dcgan": [],
    "r3gan": [],
    "sngan": [],
    "stacked_digits": [],
    "caption_rnn": [],
    "caption_lstm": [],
    "caption_transformer": [],
    "caption_char": [],
    "caption_attention": [],
    "caption_up_down": [],
    "caption_pixels": [],
    "dcgan best": ["--preset", "best"],
    "dcgan spectral": ["--networks.spectral-norm", "--loss", "relativistic_r1r2"],
    "vanilla_gan wasserstein": ["--loss", "wasserstein_gp", "--optimizer.rule", "rmsprop"],
    "caption_rnn overfit": ["--preset", "overfit"],
    "caption_lstm overfit": ["--preset", "overfit"],
    "caption_transformer vector": ["--preset", "vector"],
    "caption_transformer overfit": ["--preset", "overfit"],
}
"""Experiment, and what else names the run -> flags; these are the same in both checkouts."""


def trained(checkout: Path, name: str, steps: int, workdir: Path) -> tuple[str, list[dict]]:
    """The checksum of the state after `steps` steps, and the rows of `metrics.csv`.

    Raises:
        JaxgenError: the checkout cannot train it.
    """
    command = [sys.executable, "-m", f"experiments.{name.split()[0]}", *RUNS[name]]
    command += ["--steps", str(steps), "--log-every", "10", "--sample-every", "0"]
    command += ["--evaluate-every", "0", "--workdir", str(workdir)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise JaxgenError(f"{checkout}: {name} ended with {done.returncode}: {last}")
    with (workdir / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return json.loads((workdir / "summary.json").read_text())["parameters_sha256"], rows


def differs(name: str, old: Path, steps: int) -> str:
    """What differs between the checkout `old` and this one; "" for nothing."""
    here = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        before, rows_before = trained(old, name, steps, Path(folder) / "before")
        after, rows_after = trained(here, name, steps, Path(folder) / "after")
    if before != after:
        return "the state"
    for was, now in zip(rows_before, rows_after, strict=True):
        if moved := [key for key in was.keys() & now.keys() if was[key] and was[key] != now[key]]:
            return f"step {was['step']}: {', '.join(sorted(moved))}"
    return ""


def main() -> int:
    """Compare as the command line says."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.same_bits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("old", type=Path, help="a checkout of the code before")
    flags.add_argument("--steps", type=int, default=20, help="steps of each (20)")
    flags.add_argument("--only", default="", help="only runs whose name has this in it")
    args = flags.parse_args()
    if not (args.old / "experiments").is_dir():
        raise JaxgenError(f"{args.old} is no checkout of jaxgen: it has no folder experiments")
    moved = 0
    for name in RUNS:
        if args.only in name:
            found = differs(name, args.old.resolve(), args.steps)
            moved += bool(found)
            print(f"{name:30} {'DIFFERS: ' + found if found else 'the same bits'}", flush=True)
    return int(bool(moved))


if __name__ == "__main__":
    run_guarded(main)
