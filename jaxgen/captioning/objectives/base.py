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


def _as_it_is(given: Any) -> Any:
    return given


@dataclass(frozen=True)
class Built:
    """What training needs of an objective: pure functions, for one captioner and set."""

    loss: Loss
    """Of a batch."""
    source: Callable[[Source], Source] = _as_it_is
    """Batches with what the loss needs beside captions and features."""
    optimizer: Callable[[optax.GradientTransformation], optax.GradientTransformation] = _as_it_is
    """The optimiser with what the loss has to find in its state."""


@dataclass(frozen=True)
class Objective(ABC):
    """The numbers of an objective, as flags; subclasses make the loss."""

    @abstractmethod
    def built(self, setup: Setup, data: CaptionData | None) -> Built:
        """What training needs of it.

        Args:
            setup: the captioner.
            data: the set that it is trained on; None where there is none, for an objective that
                reads nothing but its batches.

        Raises:
            JaxgenError: the set has not what the objective needs.
        """
