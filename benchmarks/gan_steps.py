"""Training steps of the GANs beside PyTorch's, each with its batches and noise."""

import importlib
from dataclasses import replace
from functools import partial

from benchmarks import training_loop
from benchmarks.measuring import Comparison, Contender, Flops, Settings
from jaxgen.data.images.base import load_images
from jaxgen.gan.config import GanConfig

EXPERIMENTS = {
    "vanilla_gan": "vanilla GAN",
    "lsgan": "LSGAN",
    "mlp_gan": "MLP GAN",
    "conditional_gan": "conditional GAN",
    "dcgan": "DCGAN",
}
LARGE_BATCH = 512
CAPACITY = 50  # steps of a dispatch, as `log_every` has it by default


def experiment(name: str) -> GanConfig:
    """An experiment's own configuration."""
    return importlib.import_module(f"experiments.{name}").config


def comparisons() -> list[Comparison]:
    """A step of each experiment at its own batch size and at 512; the DCGAN's also alone."""
    found = []
    for name, title in EXPERIMENTS.items():
        own = experiment(name)
        for config in (own, replace(own, batch_size=LARGE_BATCH)):
            found.append(
                Comparison(
                    f"{title} training step, batch {config.batch_size}",
                    partial(_beside_torch, config),
                    partial(_flops, config),
                    CAPACITY,
                )
            )
    dcgan = experiment("dcgan")
    title = f"DCGAN training step in the loop, batch {dcgan.batch_size}"
    found.append(
        Comparison(title, partial(_in_and_out, dcgan), partial(_flops, dcgan), most=CAPACITY)
    )
    return found


def _flops(config: GanConfig) -> Flops:
    return training_loop.flops(config.task(), config)


def _beside_torch(config: GanConfig, settings: Settings) -> list[Contender]:
    contenders = [training_loop.in_loop(config.task(), config, CAPACITY)]
    contenders.append(torch_training(config, settings))
    if settings.compile:
        contenders.append(torch_training(config, settings, compiled=True))
    return contenders


def _in_and_out(config: GanConfig, settings: Settings) -> list[Contender]:
    task = config.task()
    return [training_loop.in_loop(task, config, CAPACITY), training_loop.alone(task, config)]


def torch_training(config: GanConfig, settings: Settings, compiled: bool = False) -> Contender:
    """The PyTorch twin in training, eager or through torch.compile, which needs a C++ compiler."""
    import torch

    from benchmarks import torch_gans

    steps = (settings.repeats + 1) * CAPACITY  # as many as can be asked for
    twin = torch_gans.twin(replace(config, steps=steps))
    if compiled:
        twin = twin._replace(
            generator=torch.compile(twin.generator), discriminator=torch.compile(twin.discriminator)
        )
    real = load_images(config.data)
    losses = torch_gans.train(twin, real["image"], real["label"])

    def run(count: int) -> None:
        for _ in range(count):
            next(losses)

    return Contender("torch.compile" if compiled else "PyTorch", run, is_optional=compiled)
