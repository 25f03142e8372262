"""What a captioner's training minimises: a configuration that makes a pure function of a batch.

To add one, write a subclass of `Objective`, here or in a file of your own; the flag `--objective`
finds it.

N batch, T time.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import optax

from jaxgen.captioning.decoding import SpecialWords
from jaxgen.captioning.losses import Reduction
from jaxgen.data.captions.base import CaptionData
from jaxgen.training.task import Source

Array = jax.Array
PyTree = Any

Loss = Callable[[PyTree, dict[str, Any], Array, Any], tuple[Array, dict[str, Array]]]
"""(params, batch, key, the optimiser's state) -> a scalar to minimise, and the step's metrics. The
batch holds `captions` int32 (N, T), START first, the `features` of their images, and what
`Objective.source` added."""


class Setup(NamedTuple):
    """A captioner and what its loss depends on."""

    module: nn.Module
    """As `jaxgen.captioning.captioners.base.Captioner.module` describes it."""
    special: SpecialWords
    """The vocabulary's."""
    reduction: Reduction
    """How the tokens' cross-entropies become one number."""
    max_length: int
    """Most words of a generated caption, END included."""


@dataclass(frozen=True)
class Objective(ABC):
    """The numbers of an objective, as flags; subclasses make the loss."""

    @abstractmethod
    def loss(self, setup: Setup, data: CaptionData | None) -> Loss:
        """The loss of a batch.

        Args:
            setup: the captioner.
            data: the set that it is trained on; None only to see what shapes there are.

        Raises:
            JaxgenError: the set has not what the objective needs.
        """

    def source(self, source: Source, data: CaptionData) -> Source:
        """Batches with what the loss needs beside captions and features."""
        return source

    def optimizer(self, optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
        """The optimiser with what the loss has to find in its state."""
        return optimizer
