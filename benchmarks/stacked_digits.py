"""Modes of stacked digits: what the loss, its penalties and packing do to two pairs of networks.

    python -m benchmarks.stacked_digits
    python -m benchmarks.stacked_digits --networks pacgan --remedies none relativistic --seeds 1
    python -m benchmarks.stacked_digits --experiment --seeds 3

Trained are the networks of PacGAN (`pacgan`) and jaxgen's (`dcgan`), each with the non-saturating
loss, that with R1, that with R1 and R2, the relativistic loss with R1 and R2, and the first with
PacGAN's packing of two; and, with `--experiment`, `experiments.stacked_digits` as it is. Each pair
keeps one optimiser, so that rows differ by one thing: PacGAN's own is Adam with 2e-4 and b1 0.5,
jaxgen's Adam with 2e-4, b1 0 and b2 0.99 and a moving average of the generator. A packed batch has
as many packs as the others have images.

The seeds of a training are replicas of one program. At every `--every` steps 26,000 samples are
taken apart by the digit classifier, and so are, once, 26,000 real triples, of the digits that
training has and of those that nobody has seen: the floor. One row is added to the JSON file after
each training; what it holds already is not trained again. A table in Markdown and the curves, over
steps and over seconds, stand beside it. Seconds are those of training alone, a seed's share;
processor seconds those of all cores, which other work on the machine inflates less.

The default takes many hours on 2 CPU cores: choose.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import report, stacked_curves
from benchmarks.records import Records, Row
from experiments import stacked_digits as experiment
from jaxgen.commands.guard import run_guarded
from jaxgen.data.images.base import to_model_range
from jaxgen.data.images.stacked_digits import Part, StackedDigits
from jaxgen.errors import JaxgenError
from jaxgen.gan import losses, noise
from jaxgen.gan.config import GanConfig
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.pacgan import PacGAN
from jaxgen.metrics.samples import classifier, stacked
from jaxgen.training import seeds
from jaxgen.training.loop import Loop
from jaxgen.training.optimizers import Optimizer
from jaxgen.training.watching import Watcher

_DCGAN = GanConfig(
    workdir="",
    networks=DCGAN(),
    data=StackedDigits(),
    optimizer=Optimizer(learning_rate=2e-4, b1=0.0, b2=0.99),
    average_decay=0.995,
    batch_size=64,
    steps=4000,
    evaluate_samples=stacked.SAMPLES,
)
NETWORKS = {
    "pacgan": replace(
        _DCGAN,
        networks=PacGAN(),
        noise=noise.uniform,
        noise_size=100,
        optimizer=Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999),
        average_decay=0.0,
    ),
    "dcgan": _DCGAN,
}
REMEDIES = {
    "none": losses.non_saturating,
    "r1": losses.non_saturating_r1,
    "r1r2": losses.non_saturating_r1r2,
    "relativistic": losses.relativistic_r1r2,
    "packing": losses.non_saturating,
}
PACKING = 2
FLOORS: tuple[Part, ...] = ("train", "held_out")
FLOOR_DRAWS = 3


class Curves(Watcher):
    """Modes and reverse KL at each evaluation, with the seconds that training took until then."""

    def __init__(self, config: GanConfig) -> None:
        self._config = config
        self.points: list[Row] = []
        self._seconds = self._processor = 0.0

    def start(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def metrics(self, first_step: int, history: dict[str, np.ndarray]) -> None:
        step = first_step - 1 + len(next(iter(history.values())))
        if step % self._config.evaluate_every == 0 or step == self._config.steps:
            replicas = self._config.replicas
            self._seconds += (time.perf_counter() - self._began[0]) / replicas
            self._processor += (time.process_time() - self._began[1]) / replicas

    def figures(self, step: int, figures: dict[str, float]) -> None:
        found = {seed: seeds.of_seed(figures, seed) for seed in self._config.seeds}
        if self._config.replicas == 1:
            found = {self._config.seed: figures}
        if all("modes" in own for own in found.values()):
            self.points.append(
                {
                    "step": step,
                    "seconds": self._seconds,
                    "processor_seconds": self._processor,
                    "modes": [int(own["modes"]) for own in found.values()],
                    "reverse_kl": [own["reverse_kl"] for own in found.values()],
                }
            )
            print(f"  {stacked_curves.point(self.points[-1])}", flush=True)
            self._begin()


def trained(config: GanConfig) -> Row:
    """One training of all its seeds, and its curves."""
    curves = Curves(config)
    outcome = Loop(config.task(), config).run(watcher=curves)
    if outcome.interrupted:
        raise SystemExit(128 + outcome.interrupted)
    return {
        "points": curves.points,
        "date": time.strftime("%Y-%m-%d"),
        "machine": report.machine(),
    }


def floor(part: Part) -> Row:
    """What the classifier says of real stacked digits, several draws of as many as samples."""
    seen = stacked.StackedClassifier(classifier.load("digits"))
    modes, divergences = [], []
    for seed in range(FLOOR_DRAWS):
        drawn = StackedDigits(train=stacked.SAMPLES, draw_seed=1000 + seed, digits=part).load()
        logits = seen.features_and_logits(to_model_range(drawn["image"]))[1]
        modes.append(stacked.number_of_modes(logits))
        divergences.append(stacked.divergence_from_even(logits))
    return {"modes": modes, "reverse_kl": divergences, "date": time.strftime("%Y-%m-%d")}


def configured(networks: str, remedy: str, args: argparse.Namespace) -> GanConfig:
    """The configuration of a training; `networks` may be "experiment"."""
    if networks == "experiment":
        config = experiment.config
    else:
        config = replace(NETWORKS[networks], loss=REMEDIES[remedy], precision=args.precision)
        if remedy == "packing":
            config = replace(config, packing=PACKING, batch_size=PACKING * config.batch_size)
    return replace(
        config,
        workdir="",
        steps=args.steps or config.steps,
        replicas=args.seeds,
        seed=args.first_seed,
        log_every=min(args.every, 250),
        evaluate_every=args.every,
        sample_every=0,
        checkpoint_every=0,
    )


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.stacked_digits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    flags.add_argument("--remedies", nargs="+", choices=REMEDIES, default=list(REMEDIES))
    flags.add_argument("--experiment", action="store_true", help="train the experiment too")
    flags.add_argument("--seeds", type=int, default=3, help="replicas of each training")
    flags.add_argument("--first-seed", type=int, default=0)
    flags.add_argument("--steps", type=int, help="instead of each one's own")
    flags.add_argument("--every", type=int, default=500, help="steps between evaluations")
    flags.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    flags.add_argument("--out", type=Path, default=Path("stacked_digits.json"))
    return flags


def main() -> None:
    """Train what the file does not hold yet; write table and curves of all that was asked for."""
    args = parser().parse_args()
    for name in ("seeds", "every"):
        if getattr(args, name) < 1:
            raise JaxgenError(f"--{name} must be at least 1, got {getattr(args, name)}")
    kept = Records(args.out, decisive=["evaluate_every", "evaluate_samples"])
    pairs = [(networks, remedy) for networks in args.networks for remedy in args.remedies]
    pairs += [("experiment", "recipe")] if args.experiment else []
    floors = {part: _kept_floor(kept, part) for part in FLOORS}
    rows = []
    for networks, remedy in pairs:
        config = configured(networks, remedy, args)
        print(f"{networks}, {remedy}, seeds {', '.join(map(str, config.seeds))}", flush=True)
        told = {"networks": networks, "remedy": remedy}
        rows.append(kept.row(told, config, partial(trained, config)))
        text = stacked_curves.table(rows, floors)
        args.out.with_suffix(".md").write_text(text + "\n")
        stacked_curves.draw(args.out.with_suffix(".png"), rows, floors)
    print(f"\n{stacked_curves.table(rows, floors)}")


def _kept_floor(kept: Records, part: Part) -> Row:
    measure: Callable[[], Row] = partial(floor, part)
    data = StackedDigits(train=stacked.SAMPLES, digits=part)
    told = {"networks": "real digits", "remedy": part}
    return kept.row(told, replace(_DCGAN, data=data), measure)


if __name__ == "__main__":
    run_guarded(main)
