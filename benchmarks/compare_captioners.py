"""Captioners on the same scenes, features and number of captions, beside the nearest neighbour.

    python -m benchmarks.compare_captioners
    python -m benchmarks.compare_captioners --replicas 2 --steps 500 --out quick.json

RNN, LSTM and Transformer read the same vector of 512 numbers; the rows that say grid are of those
that look at its 16 tokens, and one reads the pixels, its encoder learning with it. Each keeps the
numbers of its experiment but for the steps and the batch, which are the same for all. All seeds of
a row are one run, with `--replicas`, and from there a second training goes on by reward, which is
CIDEr-D. One row is added to the JSON file after each training; what it holds already is not trained
again. The runs lie in a folder beside that file. The loss is the mean over words, END included,
whatever the training's own reduction is. Time is that of the processor, all cores together,
compilation included, divided by the number of seeds: other work on the machine hardly counts in it.
"""

import argparse
import importlib
import math
import re
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax

import jaxgen
from benchmarks import records
from benchmarks.records import Row
from jaxgen.captioning.config import CaptionConfig
from jaxgen.captioning.objectives.self_critical import SelfCritical
from jaxgen.commands.guard import run_guarded
from jaxgen.errors import JaxgenError
from jaxgen.training.experiment import train

STEPS, BATCH = 1500, 64
REWARD_STEPS, REWARD_RATE = 100, 3e-4
BY_REWARD = ", then by reward"
MODELS = {
    "RNN": ("caption_rnn", "vector"),
    "LSTM": ("caption_lstm", "vector"),
    "Transformer": ("caption_transformer", "vector"),
    "Transformer, grid": ("caption_transformer", "grid"),
    "Attention LSTM, grid": ("caption_attention", "grid"),
    "Up-Down, grid": ("caption_up_down", "grid"),
    "Transformer with encoder, grid": ("caption_transformer", "grid"),
    "from pixels": ("caption_pixels", "pixels"),
}
CHANGED = {"Transformer with encoder, grid": {"encoder_layers": 2}}
"""Numbers of the captioner, where they are not the experiment's."""
TRUTH = {"true_1": "1 digit", "true_2": "2 digits", "true_3": "3 digits", "true": "all"}


def captioner_config(model: str, replicas: int, steps: int) -> CaptionConfig:
    """The configuration of a row: the experiment's, with the common budget."""
    experiment, features = MODELS[model]
    config = importlib.import_module(f"experiments.{experiment}").config
    return replace(
        config,
        captioner=replace(config.captioner, **CHANGED.get(model, {})),
        data=replace(config.data, features=features),
        batch_size=BATCH,
        seed=0,
        replicas=replicas,
        steps=steps,
        sample_every=0,
        evaluate_every=0,
        checkpoint_every=0,
    )


def rewarded_config(start: CaptionConfig, steps: int) -> CaptionConfig:
    """Self-critical training from that run on."""
    return replace(
        start,
        objective=SelfCritical(start=start.workdir),
        optimizer=replace(start.optimizer, learning_rate=REWARD_RATE, warm_up=20),
        steps=steps,
        workdir=f"{start.workdir}_reward",
    )


def measured(config: CaptionConfig) -> Row:
    """One training and each seed's figures on validation images, those of the baseline among them.

    Args:
        config: of several replicas.
    """
    shutil.rmtree(config.workdir, ignore_errors=True)  # what was begun, whose time nobody knows
    start = time.process_time()
    outcome = train(config)
    seconds = time.process_time() - start
    if outcome is not None and outcome.interrupted:
        raise SystemExit(128 + outcome.interrupted)
    trained = jaxgen.load(config.workdir)
    reports = trained.evaluate(java=False)[0]["replicas"]
    for report in reports:
        report["loss_of_a_word"] = math.log(report["validation_perplexity"])
    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(trained.replica(0).params)),
        "processor_seconds": seconds,
        "figures": reports,
        "date": time.strftime("%Y-%m-%d"),
    }


def table(rows: dict[str, Row]) -> str:
    """The row of each model as Markdown: mean and standard deviation over its seeds."""
    settings = next(iter(rows.values()))["settings"]
    titles = ["parameters", "processor minutes", "loss of a word", "CIDEr-D"]
    titles += [f"true, {name}" for name in TRUTH.values()] + ["relations true"]
    lines = [
        f"{settings['steps']:,} steps of {settings['batch_size']} captions, mean ± standard "
        f"deviation over {settings['replicas']} seeds; minutes are of one seed",
        "",
        f"| captioner | {' | '.join(titles)} |",
        "|---|" + "---|" * len(titles),
    ]
    for model, row in rows.items():
        minutes = row["processor_seconds"] / 60 / row["settings"]["replicas"]
        cells = [f"{row['parameters']:,}", f"{minutes:.1f}", *_quality(row["figures"])]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    for model, words in (("RNN", "vector"), ("Transformer, grid", "grid")):
        if model in rows:
            cells = _quality([rows[model]["figures"][0]["nearest"]])
            lines.append(f"| nearest neighbour, {words} | - | - | {' | '.join(cells)} |")
    return "\n".join(lines)


def _quality(figures: list[dict]) -> list[str]:
    def cell(name: str, form: Callable = "{:.3f}".format) -> str:
        known = [some[name] for some in figures if name in some]
        return _spread(known, form) if known else "-"

    shares = [cell(name, "{:.1%}".format) for name in (*TRUTH, "relations_true")]
    return [cell("loss_of_a_word"), cell("cider_d"), *shares]


def _spread(values: list[float], form: Callable) -> str:
    mean = form(statistics.mean(values))
    return f"{mean} ± {form(statistics.stdev(values))}" if len(values) > 1 else mean


def main() -> None:
    """Train what the file does not hold yet, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare_captioners",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--replicas", type=int, default=3, help="seeds, from 0 on")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument(
        "--reward-steps", type=int, default=REWARD_STEPS, help="0 for cross-entropy alone"
    )
    parser.add_argument("--out", type=Path, default=Path("captioners.json"))
    args = parser.parse_args()
    if args.replicas < 2:
        raise JaxgenError(f"--replicas must be at least 2 for a spread, got {args.replicas}")
    kept = records.Records(args.out, decisive=["evaluate_images"])
    runs = args.out.with_suffix(".runs")
    rows: dict[str, Row] = {}
    for model in args.models:
        place = runs / re.sub("[^a-z]+", "_", model.lower())
        start = replace(captioner_config(model, args.replicas, args.steps), workdir=str(place))
        trainings = {model: start}
        if args.reward_steps:
            trainings[f"{model}{BY_REWARD}"] = rewarded_config(start, args.reward_steps)
        for name, config in trainings.items():
            row = kept.row({"model": name}, config, partial(measured, config))
            rows[name] = row
            print(
                f"{name}: CIDEr-D {_of(row, 'cider_d', '{:.3f}')}, "
                f"true {_of(row, 'true', '{:.1%}')}, {row['processor_seconds']:.0f} s",
                flush=True,
            )
    print(f"\n{table(rows)}\n")


def _of(row: Row, name: str, form: str) -> str:
    return _spread([figures[name] for figures in row["figures"]], form.format)


if __name__ == "__main__":
    run_guarded(main)
