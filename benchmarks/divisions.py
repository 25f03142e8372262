"""What dividing a training among processes and devices does to its numbers.

    python -m benchmarks.divisions [--experiments vanilla_gan caption_lstm] [--steps 200]

Trains each experiment by 1 process of 1 device, 1 of 4, 2 of 2 and 4 of 1, simulated on this
machine, and compares what is learnt with the first. Batches, noise and initial values are the same;
the order in which gradients are summed is not. Twice the same division gives the same bits.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import local_jobs

SHAPES = ((1, 1), (1, 4), (2, 2), (4, 1))
"""Processes, and devices of each."""


def train(experiment: str, steps: int, workdir: Path, processes: int, devices: int) -> None:
    """Train by so many processes of so many devices.

    Raises:
        RuntimeError: one of them failed.
    """
    flags = f"--steps {steps} --log-every 50 --sample-every 0 --checkpoint-every 0".split()
    command = [sys.executable, "-m", f"experiments.{experiment}", *flags, "--workdir", str(workdir)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    started = local_jobs.start([command] * processes, devices, **quiet)
    for process in started:
        _, told = process.communicate()
        if process.returncode:
            raise RuntimeError(told[-1000:])


def deviations(reference: Path, workdir: Path, steps: int) -> tuple[float, float]:
    """How far a run is from another one.

    Returns:
        The norm of the difference of all parameters, relative to their norm, and the largest
        relative difference of a metric's mean over the last fifty steps.
    """
    import jax

    from jaxgen.training.checkpoints import Checkpoints
    from jaxgen.training.metrics_file import read_metrics

    learnt, losses = [], []
    for folder in (reference, workdir):
        restored = Checkpoints(folder / "checkpoints").restore()
        assert restored is not None and restored.step == steps
        found = jax.tree_util.tree_flatten_with_path(restored.state)[0]
        params = [np.ravel(leaf) for path, leaf in found if "params" in jax.tree_util.keystr(path)]
        learnt.append(np.concatenate(params))
        history = read_metrics(folder / "metrics.csv")
        losses.append({name: values[-50:].mean() for name, (_, values) in history.items()})
    of_params = np.linalg.norm(learnt[1] - learnt[0]) / np.linalg.norm(learnt[0])
    names = [name for name in losses[0] if "loss" in name]
    return float(of_params), max(abs(losses[1][n] / losses[0][n] - 1) for n in names)


def main() -> None:
    """Print a table of deviations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", nargs="+", default=["vanilla_gan", "caption_lstm"])
    parser.add_argument("--steps", type=int, default=200)
    chosen = parser.parse_args()
    print(f"| after {chosen.steps} steps, against 1 x 1 | parameters | losses, last 50 steps |")
    print("|---|---:|---:|")
    for experiment in chosen.experiments:
        with tempfile.TemporaryDirectory() as folder:
            for processes, devices in (*SHAPES, SHAPES[-1]):
                name = f"{processes}x{devices}"
                again = "-again" if (Path(folder) / name).exists() else ""
                train(experiment, chosen.steps, Path(folder) / (name + again), processes, devices)
                first = name if again else "1x1"
                of_params, of_losses = deviations(
                    Path(folder) / first, Path(folder) / (name + again), chosen.steps
                )
                what = f"{name} against itself" if again else name.replace("x", " x ")
                print(f"| {experiment}, {what} | {of_params:.1e} | {of_losses:.1e} |", flush=True)


if __name__ == "__main__":
    main()
