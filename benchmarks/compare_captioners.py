"""Captioners on the same scenes, features and number of captions, beside the nearest neighbour.

    python -m benchmarks.compare_captioners
    python -m benchmarks.compare_captioners --seeds 0 --steps 500 --out quick.json

RNN, LSTM and Transformer read the same vector of 512 numbers; the rows that say grid are of those
that look at its 16 tokens, and one reads the pixels, its encoder learning with it. Each keeps the
numbers of its experiment but for the steps and the batch, which are the same for all, from each
seed. One row is added to the JSON file after each training; what it holds already is not trained
again. The loss is the mean over words, END included, whatever the training's own reduction is. Time
is that of the processor, all cores together, for the training's loop, compilation included: other
work on the machine hardly counts in it.
"""

import argparse
import importlib
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
from flax import serialization

from benchmarks import records
from benchmarks.records import Row
from jaxgen.captioning.config import CaptionConfig
from jaxgen.training.loop import Loop
from jaxgen.training.task import Saved

STEPS, BATCH = 1500, 64
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


def captioner_config(model: str, seed: int, steps: int) -> CaptionConfig:
    """The configuration of a row: the experiment's, with the common budget."""
    experiment, features = MODELS[model]
    config = importlib.import_module(f"experiments.{experiment}").config
    return replace(
        config,
        captioner=replace(config.captioner, **CHANGED.get(model, {})),
        data=replace(config.data, features=features),
        batch_size=BATCH,
        seed=seed,
        steps=steps,
        sample_every=0,
        evaluate_every=0,
        checkpoint_every=0,
    )


def measured(config: CaptionConfig) -> Row:
    """One training and its figures on validation images, those of the baseline among them."""
    task = config.task()
    loop = Loop(replace(task, show=lambda state: None), config)
    state, start = loop.initial_state(), time.process_time()
    outcome = loop.run(state)
    seconds = time.process_time() - start
    if outcome.interrupted:
        raise SystemExit(128 + outcome.interrupted)
    trained = config.restored(Saved(serialization.to_state_dict(outcome.state), task.about))
    report, _ = trained.evaluate(java=False)
    report["loss_of_a_word"] = math.log(report["validation_perplexity"])
    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(outcome.state.params)),
        "processor_seconds": seconds,
        "figures": report,
        "date": time.strftime("%Y-%m-%d"),
    }


def table(rows: dict[str, list[Row]]) -> str:
    """Rows of each model, one a seed, as Markdown: mean and standard deviation."""
    first = next(iter(rows.values()))[0]
    seeds = len(next(iter(rows.values())))
    titles = ["parameters", "processor minutes", "loss of a word", "CIDEr-D"]
    titles += [f"true, {name}" for name in TRUTH.values()] + ["relations true"]
    budget = f"{first['settings']['steps']:,} steps of {first['settings']['batch_size']} captions"
    lines = [
        f"{budget}, mean ± standard deviation over {seeds} seeds" if seeds > 1 else budget,
        "",
        f"| captioner | {' | '.join(titles)} |",
        "|---|" + "---|" * len(titles),
    ]
    for model, some in rows.items():
        cells = [
            f"{some[0]['parameters']:,}",
            _spread([row["processor_seconds"] / 60 for row in some]),
        ]
        cells += _quality([row["figures"] for row in some])
        lines.append(f"| {model} | {' | '.join(cells)} |")
    for model, words in (("RNN", "vector"), ("Transformer, grid", "grid")):
        if model in rows:
            cells = _quality([rows[model][0]["figures"]["nearest"]])
            lines.append(f"| nearest neighbour, {words} | - | - | {' | '.join(cells)} |")
    return "\n".join(lines)


def _quality(figures: list[dict]) -> list[str]:
    def cell(name: str, form: Callable = "{:.3f}".format) -> str:
        known = [some[name] for some in figures if name in some]
        return _spread(known, form) if known else "-"

    shares = [cell(name, "{:.1%}".format) for name in (*TRUTH, "relations_true")]
    return [cell("loss_of_a_word"), cell("cider_d"), *shares]


def _spread(values: list[float], form: Callable = "{:.1f}".format) -> str:
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
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=Path("captioners.json"))
    args = parser.parse_args()
    kept = records.Records(args.out, decisive=["evaluate_images"])
    rows: dict[str, list[Row]] = {model: [] for model in args.models}
    for seed in args.seeds:
        for model in args.models:
            config = captioner_config(model, seed, args.steps)
            identity = {"model": model, "seed": seed}
            row = kept.row(identity, config, partial(measured, config))
            rows[model].append(row)
            figures = row["figures"]
            print(
                f"{model} seed {seed}: CIDEr-D {figures['cider_d']:.3f}, "
                f"true {figures['true']:.1%}, {row['processor_seconds']:.0f} s",
                flush=True,
            )
    print(f"\n{table(rows)}\n")


if __name__ == "__main__":
    main()
