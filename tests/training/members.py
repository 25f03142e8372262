"""A process of a job: trains experiments, with small networks, as it is asked to.

    python members.py [--coordinator HOST:PORT --processes N --process I]

A line of its input is JSON: `experiments`, the `folder` of their runs, and fields of `TrainConfig`;
once they are trained it answers with what they said, JSON too. One process for many trainings is
what makes them cheap: Python and JAX start once, and JAX compiles its many small programs once.
"""

import argparse
import contextlib
import dataclasses
import gc
import io
import json
import os
import sys
from importlib import import_module
from pathlib import Path

import jax

from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.objectives.self_critical import SelfCritical
from jaxgen.data.images.stacked_digits import StackedDigits
from jaxgen.data.scenes.captions import Scenes
from jaxgen.display import plots
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.training import experiment

GANS = (
    "vanilla_gan lsgan mlp_gan conditional_gan dcgan conditional_dcgan r3gan sngan stacked_digits"
).split()
CAPTIONERS = [
    f"caption_{name}"
    for name in "rnn lstm transformer char attention up_down pixels self_critical".split()
]
"""In an order in which each finds the run that it starts from."""
SCENES = Scenes(scenes=20)
FASTER_LOOPS = "simplify-while-loops,while-loop-invariant-code-motion,while-loop-constant-sinking"
"""What XLA does for the speed of loops takes a tenth of the time to compile them."""


def small(name, **numbers):
    """An experiment's configuration, with networks that are quick to compile and to run."""
    config = import_module(f"experiments.{name}").config
    numbers = {"batch_size": 4, "log_every": 20, "sample_every": 0} | numbers
    if name in GANS:
        numbers = {"evaluate_every": 0} | numbers
        updates = min(2, config.updates.discriminator)
        numbers["updates"] = dataclasses.replace(config.updates, discriminator=updates)
        numbers["batch_size"] *= updates
        if isinstance(config.data, StackedDigits):
            numbers["data"] = dataclasses.replace(config.data, train=64)
        networks = config.networks
        if isinstance(networks, MLP):
            networks = dataclasses.replace(
                networks,
                generator_hidden=(32, 32),
                generator_normalized=networks.generator_normalized[:1],
                discriminator_hidden=(32,),
            )
        else:
            widths = {"generator_channels": (8, 8), "discriminator_channels": (4, 8)}
            if isinstance(networks, DCGAN):
                widths["hidden"] = 32
            if isinstance(networks, R3GAN):
                widths = dict.fromkeys(widths, (8, 4)) | {"group": 4}
            if isinstance(networks, SNGAN):
                widths["last_blocks"] = 0
            networks = dataclasses.replace(networks, **widths)
        return dataclasses.replace(config, networks=networks, noise_size=16, **numbers)
    data = dataclasses.replace(config.data, scenes=SCENES.scenes)
    if name != "caption_lstm":  # decoding compiles for longer than a step, and is shared by all
        numbers = {"evaluate_every": 0} | numbers
    if isinstance(config.captioner, Transformer):
        captioner = dataclasses.replace(config.captioner, width=16, layers=1, heads=2)
    else:
        captioner = dataclasses.replace(config.captioner, hidden=16, word_size=8)
    if isinstance(config.objective, SelfCritical):
        start = str(Path(numbers["workdir"]).with_name(Path(config.objective.start).name))
        objective = dataclasses.replace(config.objective, start=start, samples=2, longest=8)
        numbers["objective"] = objective
    return dataclasses.replace(config, data=data, captioner=captioner, **numbers)


def main():
    """Train what each line of the input asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coordinator")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--process", type=int)
    job = parser.parse_args()
    gc.set_threshold(200_000)  # as in conftest.py
    os.environ["XLA_FLAGS"] += f" --xla_disable_hlo_passes={FASTER_LOOPS}"
    # Process 0 alone draws curves, and the other would wait for it; their own tests look at them.
    plots.save_curves = lambda path, *_: path.touch()
    # The answers have the output to themselves; what Gloo prints there would be in between.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if job.coordinator:
        jax.distributed.initialize(
            job.coordinator, job.processes, job.process, initialization_timeout=60
        )
    for line in sys.stdin:
        asked = json.loads(line)
        names, folder = asked.pop("experiments"), Path(asked.pop("folder"))
        with contextlib.redirect_stderr(io.StringIO()) as told:
            for name in names:
                experiment.train(small(name, workdir=str(folder / name), **asked))
        print(json.dumps(told.getvalue()), file=answers, flush=True)


if __name__ == "__main__":
    main()
