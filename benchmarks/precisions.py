"""Which forms of training and decoding are measured, and who stands beside whom in each of them.

In float32 jaxgen stands beside PyTorch; in bfloat16 beside itself in float32, and beside PyTorch in
float32 and under autocast, all within the same rounds.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar, get_args

from benchmarks.measuring import Contender, Settings
from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import Precision
from jaxgen.training.task import TrainConfig

Config = TypeVar("Config", bound=TrainConfig)


@dataclass(frozen=True)
class Wanted:
    """What to measure of the training steps and of decoding."""

    precisions: tuple[Precision, ...] = ("float32",)
    """jaxgen's own, a row for each."""
    batch_sizes: tuple[int, ...] = ()
    """Of the training steps; if empty those that each benchmark has by itself."""


DEFAULT = Wanted()
CHOICES = (*get_args(Precision), "both")
"""Of a flag `--precision`."""


def wanted(args: argparse.Namespace) -> Wanted:
    """What to measure, from `--precision` and `--batch-sizes`."""
    if wrong := [size for size in args.batch_sizes if size < 1]:
        raise JaxgenError(f"--batch-sizes must be at least 1, got {wrong[0]}")
    precisions = get_args(Precision) if args.precision == "both" else (args.precision,)
    return Wanted(precisions, tuple(dict.fromkeys(args.batch_sizes)))


def titled(title: str, precision: Precision) -> str:
    """A row's title, which says its precision unless that is float32."""
    return title if precision == "float32" else f"{title}, {precision}"


def both(config: Config) -> list[tuple[str, Config]]:
    """jaxgen in the precision of `config`, first, and in float32: names and configurations."""
    exact = [("jaxgen float32", replace(config, precision="float32"))]
    return [("jaxgen", config), *(exact if config.precision != "float32" else [])]


def torch_name(name: str, precision: Precision) -> str:
    """What PyTorch is called in a precision."""
    return name if precision == "float32" else f"{name}, autocast {precision}"


def beside_torch(
    config: Config,
    settings: Settings,
    jaxgen: Callable[[Config, str], Contender],
    torch: Callable[[Config, Settings, str, bool], Contender],
) -> list[Contender]:
    """Everybody who can take a training step.

    Args:
        config: of the training.
        settings: whether torch.compile is among them.
        jaxgen: (configuration, name) -> jaxgen.
        torch: (configuration, settings, name, whether compiled) -> PyTorch.
    """
    forms = both(config)
    contenders = [jaxgen(form, name) for name, form in forms]
    for name, is_compiled in (("PyTorch", False), ("torch.compile", True)):
        if settings.compile or not is_compiled:
            contenders += [
                torch(form, settings, torch_name(name, form.precision), is_compiled)
                for _, form in reversed(forms)
            ]
    return contenders
