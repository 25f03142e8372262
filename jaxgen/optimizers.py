"""Optimisers as configurations: a rule by name and its numbers, built into an optax transform."""

from collections.abc import Callable
from dataclasses import dataclass

import optax

from jaxgen.configs import Choice


@dataclass(frozen=True)
class Rule(Choice):
    """How gradients become updates: a function of an `Optimizer`'s numbers."""

    transform: Callable[["Optimizer"], optax.GradientTransformation]


adam = Rule(lambda numbers: optax.scale_by_adam(numbers.b1, numbers.b2))
"""Kingma and Ba 2015; epsilon 1e-8."""


@dataclass(frozen=True)
class Optimizer:
    """An optimiser and its numbers."""

    rule: Rule = adam
    """How gradients become updates."""
    learning_rate: float = 1e-3
    """Size of a step."""
    b1: float = 0.9
    """Decay of the first moment."""
    b2: float = 0.999
    """Decay of the second moment."""

    def build(self) -> optax.GradientTransformation:
        """The optax transform of these numbers."""
        return optax.chain(
            self.rule.transform(self), optax.scale_by_learning_rate(self.learning_rate)
        )
