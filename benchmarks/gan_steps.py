"""Training steps of the GANs beside PyTorch's, each with its batches and noise."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

from benchmarks import training_loop
from benchmarks.measuring import Comparison, Contender, Flops, Settings
from benchmarks.precisions import DEFAULT, Wanted, beside_torch, both, titled
from jaxgen.data.images.base import load_images
from jaxgen.gan.config import GanConfig

EXPERIMENTS = {
    "vanilla_gan": "vanilla GAN",
    "lsgan": "LSGAN",
    "mlp_gan": "MLP GAN",
    "conditional_gan": "conditional GAN",
    "dcgan": "DCGAN",
    "conditional_dcgan": "conditional DCGAN",
}
LARGE_BATCH = 512
CAPACITY = 50  # steps of a dispatch, as `log_every` has it by default


def experiment(name: str) -> GanConfig:
    """An experiment's own configuration."""
    return importlib.import_module(f"experiments.{name}").config


def comparisons(wanted: Wanted = DEFAULT) -> list[Comparison]:
    """A step of each experiment at its own batch size and at 512; the DCGAN's also alone."""
    found = []
    for name, title in EXPERIMENTS.items():
        own = experiment(name)
        batch_sizes = wanted.batch_sizes or dict.fromkeys((own.batch_size, LARGE_BATCH))
        for batch_size, precision in product(batch_sizes, wanted.precisions):
            config = replace(own, batch_size=batch_size, precision=precision)
            title_of_row = f"{title} training step, batch {batch_size}"
            found.append(_comparison(title_of_row, _beside_torch, config))
    for precision in wanted.precisions:
        dcgan = replace(experiment("dcgan"), precision=precision)
        title = f"DCGAN training step in the loop, batch {dcgan.batch_size}"
        found.append(_comparison(title, _in_and_out, dcgan))
    return found


def _comparison(
    title: str, contenders: Callable[[GanConfig, Settings], list[Contender]], config: GanConfig
) -> Comparison:
    return Comparison(
        titled(title, config.precision),
        partial(contenders, config),
        partial(_flops, config),
        CAPACITY,
        config.precision,
    )


def _flops(config: GanConfig) -> Flops:
    """Of the arithmetic, whatever its precision."""
    config = replace(config, precision="float32")
    return training_loop.flops(config.task(), config)


def _beside_torch(config: GanConfig, settings: Settings) -> list[Contender]:
    return beside_torch(config, settings, _jaxgen_training, torch_training)


def _jaxgen_training(config: GanConfig, name: str) -> Contender:
    return training_loop.in_loop(config.task(), config, CAPACITY, name)


def _in_and_out(config: GanConfig, settings: Settings) -> list[Contender]:
    contenders = [_jaxgen_training(form, name) for name, form in both(config)]
    return [*contenders, training_loop.alone(config.task(), config)]


def torch_training(
    config: GanConfig, settings: Settings, name: str, is_compiled: bool
) -> Contender:
    """The PyTorch twin in training, eager or through torch.compile, which needs a C++ compiler."""
    from benchmarks import torch_gans
    from benchmarks.torch_settings import compiled

    steps = (settings.repeats + 2) * CAPACITY  # as many as can be asked for
    twin = torch_gans.twin(replace(config, steps=steps))
    if is_compiled:
        twin = twin._replace(
            generator=compiled(twin.generator), discriminator=compiled(twin.discriminator)
        )
    real = load_images(config.data)
    losses = torch_gans.train(twin, real["image"], real["label"])

    def run(count: int) -> None:
        for _ in range(count):
            next(losses)

    return Contender(name, run, is_optional=is_compiled)
