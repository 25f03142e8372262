"""A process of a job: trains every experiment, with small networks, for a few steps.

    python members.py FOLDER STEPS [HOST:PORT PROCESSES PROCESS] [--FIELD VALUE ...]

The fields are those of `TrainConfig`. Each run is a folder of the experiment's name.
"""

import ast
import dataclasses
import sys
from importlib import import_module
from pathlib import Path

import jax

from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.data.scenes.captions import Scenes
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training import experiment

GANS = "vanilla_gan lsgan mlp_gan conditional_gan dcgan conditional_dcgan".split()
CAPTIONERS = "caption_rnn caption_lstm caption_transformer caption_char".split()
SCENES = Scenes(scenes=20)


def small(name, **numbers):
    """An experiment's configuration, with networks that are quick to compile and to run."""
    config = import_module(f"experiments.{name}").config
    numbers = {"batch_size": 8, "log_every": 10, "sample_every": 0} | numbers
    if name in GANS:
        networks = config.networks
        if isinstance(networks, MLP):
            networks = dataclasses.replace(
                networks,
                generator_hidden=tuple(32 for _ in networks.generator_hidden),
                discriminator_hidden=(32,),
            )
        else:
            assert isinstance(networks, DCGAN)
            networks = dataclasses.replace(
                networks, hidden=32, generator_channels=(8, 8), discriminator_channels=(4, 8)
            )
        return dataclasses.replace(config, networks=networks, noise_size=16, **numbers)
    data = dataclasses.replace(config.data, scenes=SCENES.scenes)
    if isinstance(config.captioner, Transformer):
        captioner = dataclasses.replace(config.captioner, width=16, layers=1, heads=2)
    else:
        captioner = dataclasses.replace(config.captioner, hidden=16, word_size=8)
    return dataclasses.replace(config, data=data, captioner=captioner, **numbers)


def main(folder, steps, *rest):
    """Train them all."""
    flags = {}
    while rest and rest[-2].startswith("--"):
        flags[rest[-2][2:]] = ast.literal_eval(rest[-1])
        rest = rest[:-2]
    if rest:
        jax.distributed.initialize(rest[0], int(rest[1]), int(rest[2]), initialization_timeout=60)
    names = flags.pop("only", GANS + CAPTIONERS)
    for name in names:
        workdir = str(Path(folder) / name)
        experiment.train(small(name, workdir=workdir, steps=int(steps), **flags))


if __name__ == "__main__":
    main(*sys.argv[1:])
