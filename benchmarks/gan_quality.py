"""How good the samples are at equal steps and data: jaxgen's GANs beside their PyTorch twins.

    python -m benchmarks.gan_quality
    python -m benchmarks.gan_quality --experiments lsgan --replicas 2 --steps 500 --out lsgan.json

Each experiment is trained by both frameworks from each seed, jaxgen's seeds in one run as replicas,
on the same batches in the same order (initial values and noise are each framework's own), and 5,000
samples of each are measured against the 5,000 digits it was trained on, with jaxgen's digit
classifier. One row is added to the JSON file after each training; what it holds already under the
same settings is not trained again. Needs PyTorch. The default takes about an hour and a half on 2
CPU cores, nearly all of it for DCGAN.

Seconds a step are medians over stretches of 50 steps as they happened to run, one framework after
the other, of one seed: the steps alone, without compilation, on whatever else the machine did.
"""

import argparse
import importlib
import importlib.metadata
import os
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from flax import serialization

from benchmarks import records
from benchmarks.records import Row
from jaxgen.commands.guard import run_guarded
from jaxgen.data.images.base import load_images, to_model_range
from jaxgen.errors import JaxgenError
from jaxgen.gan.config import GanConfig
from jaxgen.metrics.samples import classifier
from jaxgen.metrics.samples import report as sample_report
from jaxgen.training.loop import Loop
from jaxgen.training.task import Saved
from jaxgen.training.trained_replicas import TrainedReplicas
from jaxgen.training.watching import Watcher

STEPS = {"vanilla_gan": 3900, "lsgan": 3900, "dcgan": 1950}
STRETCH = 50  # steps timed together, and steps of one dispatch
COLUMNS = {"fid": "FID", "kid": "KID x 1000", "precision": "precision", "recall": "recall"}


class Stopwatch(Watcher):
    """Notes the time at the end of each stretch of steps."""

    def __init__(self) -> None:
        self._marks = [(0, time.perf_counter())]

    def metrics(self, first_step: int, history: dict[str, np.ndarray]) -> None:
        self.mark(first_step - 1 + len(next(iter(history.values()))))

    def mark(self, step: int) -> None:
        """`step` steps are done."""
        self._marks.append((step, time.perf_counter()))

    def seconds_per_step(self) -> float:
        """Median over the stretches, the first one left out because it may hold compilation."""
        marks = self._marks[1:] if len(self._marks) > 2 else self._marks
        return statistics.median(
            (later - earlier) / (step - last) for (last, earlier), (step, later) in pairwise(marks)
        )


def jaxgen_samples(config: GanConfig, n: int) -> tuple[list[np.ndarray], float]:
    """Trains with jaxgen, all replicas at once.

    Returns:
        `n` images (n, 28, 28, 1) in [-1, 1] of each seed, and seconds for a step of one.
    """
    task, stopwatch = config.task(), Stopwatch()
    outcome = Loop(task, config).run(watcher=stopwatch)
    if outcome.interrupted:
        raise SystemExit(128 + outcome.interrupted)
    saved = Saved(serialization.to_state_dict(outcome.state), task.about)
    trained = TrainedReplicas(config, saved)
    samples = [trained.replica(i).sample(seed=seed, n=n) for i, seed in enumerate(config.seeds)]
    return samples, stopwatch.seconds_per_step() / config.replicas


def torch_samples(config: GanConfig, n: int) -> tuple[list[np.ndarray], float]:
    """Trains the PyTorch twin of a single seed: the same as `jaxgen_samples`."""
    from benchmarks import torch_gans

    twin, stopwatch = torch_gans.twin(config), Stopwatch()
    real = load_images(config.data)["image"]
    for step, _ in enumerate(torch_gans.train(twin, real), 1):
        if step % STRETCH == 0 or step == config.steps:
            stopwatch.mark(step)
    return [torch_gans.sample(twin, n, config.seed)], stopwatch.seconds_per_step()


FRAMEWORKS = {"jaxgen": jaxgen_samples, "PyTorch": torch_samples}


def trainings(name: str, steps: int, replicas: int) -> list[tuple[str, GanConfig]]:
    """Frameworks and configurations: all seeds in one run of jaxgen, and each one of PyTorch."""
    together = replace(experiment_config(name, steps), replicas=replicas)
    single = [replace(together, seed=seed, replicas=1) for seed in together.seeds]
    return [("jaxgen", together), *(("PyTorch", config) for config in single)]


def experiment_config(name: str, steps: int) -> GanConfig:
    """The experiment's configuration, with nothing done but training and one picture at the end."""
    return replace(
        importlib.import_module(f"experiments.{name}").config,
        seed=0,
        steps=steps,
        log_every=STRETCH,
        sample_every=0,
        evaluate_every=0,
        checkpoint_every=0,
    )


def measured(config: GanConfig, framework: str, n: int) -> Row:
    """One training and the figures of each seed's samples."""
    samples, seconds = FRAMEWORKS[framework](config, n)
    real = to_model_range(load_images(config.data)["image"])
    reports = [sample_report.report(real, fake, classifier.load("digits")) for fake in samples]
    return {
        "seconds_per_step": seconds,
        "figures": [{key: report[key] for key in COLUMNS} for report in reports],
        "images": reports[0]["images"],
        "date": time.strftime("%Y-%m-%d"),
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "flax", "torch")},
    }


def table(rows: list[Row]) -> str:
    """One experiment's rows as Markdown: each seed, mean ± standard deviation, and the floor."""
    steps, sizes = rows[0]["settings"]["steps"], rows[0]["images"]
    matched = f"{sizes['matched']:,}"
    lines = [
        f"### {rows[0]['experiment']}, {steps:,} steps",
        "",
        f"{sizes['fake']:,} samples against {sizes['real']:,} digits; FID at {matched} and the "
        f"floor, digits against other digits, compare {matched} with {matched}.",
        "",
        f"| trained with | seed | {' | '.join(COLUMNS.values())} | FID at {matched} | ms a step |",
        "|---|" + "---|" * (len(COLUMNS) + 3),
    ]
    for framework in FRAMEWORKS:
        own = [
            (seed, _cells(figures, row["seconds_per_step"]))
            for row in rows
            if row["framework"] == framework
            for seed, figures in zip(row["seeds"], row["figures"], strict=True)
        ]
        lines += [_line(framework, seed, zip(cells, strict=True)) for seed, cells in own]
        columns = zip(*(cells for _, cells in own), strict=True)
        lines.append(_line(f"**{framework}**", "mean ± sd", columns))
    floor = [rows[0]["figures"][0][key]["floor"] * _scale(key) for key in COLUMNS]
    lines.append(_line("digits (floor)", "", zip([*floor, floor[0]], strict=True)) + " |")
    return "\n".join(lines)


def _cells(figures: Row, seconds: float) -> list[float]:
    values = [figures[key]["value"] * _scale(key) for key in COLUMNS]
    return [*values, figures["fid"]["matched"], 1e3 * seconds]


def _scale(key: str) -> float:
    return 1e3 if key == "kid" else 1.0


def _line(title: str, seed: int | str, columns: Iterable[Sequence[float]]) -> str:
    cells = []
    for values in map(list, columns):
        mean = statistics.mean(values)
        cells.append(
            f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"
        )
    return f"| {title} | {seed} | {' | '.join(cells)} |"


def main() -> None:
    """Train what the file does not hold yet, and print a table for each experiment."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gan_quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--experiments", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--replicas", type=int, default=3, help="seeds, from 0 on")
    parser.add_argument("--steps", type=int, help=f"instead of {STEPS}")
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--out", type=Path, default=Path("gan_quality.json"))
    args = parser.parse_args()
    if args.replicas < 2:
        raise JaxgenError(f"--replicas must be at least 2 for a spread, got {args.replicas}")
    try:
        import torch
    except ModuleNotFoundError as error:
        raise JaxgenError("the twins need PyTorch: pip install 'jaxgen[bench]'") from error
    torch.set_num_threads(os.cpu_count() or 1)

    kept = records.Records(args.out, decisive=["sampling_statistics"])
    for experiment in args.experiments:
        rows = []
        steps = args.steps or STEPS[experiment]
        for framework, config in trainings(experiment, steps, args.replicas):
            identity = {"experiment": experiment, "framework": framework}
            identity |= {"seeds": list(config.seeds), "samples": args.samples}
            measure = partial(measured, config, framework, args.samples)
            row = kept.row(identity, config, measure)
            rows.append(row)
            for seed, figures in zip(row["seeds"], row["figures"], strict=True):
                print(
                    f"{experiment} seed {seed} {framework}: FID {figures['fid']['value']:.3f}, "
                    f"{1e3 * row['seconds_per_step']:.1f} ms a step",
                    flush=True,
                )
        print(f"\n{table(rows)}\n", flush=True)


if __name__ == "__main__":
    run_guarded(main)
