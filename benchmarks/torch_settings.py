"""What a training's settings are in PyTorch: Adam with its schedule, and the precision."""

import contextlib
import math

import torch

from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import Precision
from jaxgen.training import optimizers
from jaxgen.training.optimizers import Optimizer


def forward_in(precision: Precision) -> contextlib.AbstractContextManager:
    """Around a forward pass and its loss, not around the backward pass.

    For bfloat16 it is PyTorch's mixed precision as its documentation has it
    (https://docs.pytorch.org/docs/stable/amp.html): products of operands rounded to bfloat16, what
    needs more in float32; parameters and moments stay float32, and no loss is scaled.
    """
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


def compiled(network: torch.nn.Module) -> torch.nn.Module:
    """A network that is not yet in use, through torch.compile: each shape a program of its own.

    What was compiled before is forgotten. PyTorch otherwise looks through the programs of all
    networks of the same class, and from the ninth on quietly runs the network as it is.
    """
    torch.compiler.reset()
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    return torch.compile(network, dynamic=False)


def adam(
    network: torch.nn.Module, numbers: Optimizer, steps: int, steps_per_epoch: int
) -> tuple[torch.optim.Adam, torch.optim.lr_scheduler.LambdaLR | None]:
    """Adam of a network, and the schedule that is to follow each of its steps, if the rate changes.

    Args:
        network: whose parameters it updates.
        numbers: of the experiment.
        steps: of the whole training.
        steps_per_epoch: after which the rate is multiplied by `epoch_decay`.

    Raises:
        JaxgenError: the rule is another.
    """
    if numbers.rule is not optimizers.adam:
        raise JaxgenError("the PyTorch twins are trained by Adam only")
    optimizer = torch.optim.Adam(
        network.parameters(), numbers.learning_rate, (numbers.b1, numbers.b2)
    )
    if numbers.epoch_decay == 1 and not numbers.warm_up and not numbers.cosine:
        return optimizer, None

    def factor(step: int) -> float:
        """On the learning rate of a step counted from 0, as `Optimizer.build` has it."""
        now = numbers.epoch_decay ** (step // steps_per_epoch)
        if numbers.warm_up:
            now *= min(1.0, (step + 1) / numbers.warm_up)
        return now * (0.5 + 0.5 * math.cos(math.pi * step / steps)) if numbers.cosine else now

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
