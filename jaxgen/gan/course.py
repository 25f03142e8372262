"""What changes over a training beside the networks: schedules, lazy penalties, adaptation.

All of it is a function of what the state keeps, so that a run which was stopped goes on as if it
had not been.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.gan.recipe import Augmenting, BurnIn, Penalty

Array = jax.Array
Kept = dict[str, Array] | None
"""`steps` taken, and with adaptation the `strength` and the sum of `signs` since its last change;
None where nothing depends on them."""


class Now(NamedTuple):
    """The numbers of a step."""

    penalty_weight: Any
    is_due: Array | None
    """Whether the penalty is taken in this step; None for one in each."""
    strength: Array | None
    """Of the augmentation; None for all of it."""


@dataclass(frozen=True)
class Course:
    """The numbers of a training as functions of its steps."""

    penalty_weight: float = 1.0
    average_decay: float = 0.0
    burn_in: BurnIn = BurnIn()
    penalty: Penalty = Penalty()
    augmenting: Augmenting = Augmenting()

    @property
    def has_average(self) -> bool:
        """Whether there is a moving average of the generator."""
        return bool(self.average_decay or (self.burn_in.steps and self.burn_in.average_decay))

    @property
    def has_strength(self) -> bool:
        """Whether the augmentation has a strength, other than all of it in each step."""
        later = self.burn_in.strength if self.burn_in.steps else None
        return self.augmenting.strength != 1 or later is not None or self.augmenting.target > 0

    def init(self) -> Kept:
        """What the state keeps before the first step."""
        burn_in = self.burn_in
        later = burn_in.penalty_weight, burn_in.average_decay, burn_in.strength
        changes = burn_in.steps > 0 and any(value is not None for value in later)
        if not changes and self.penalty.every == 1 and not self.augmenting.target:
            return None
        kept = {"steps": jnp.int32(0)}
        if self.augmenting.target:
            strength = jnp.float32(self.augmenting.strength)
            kept |= {"strength": strength, "signs": jnp.float32(0)}
        return kept

    def now(self, kept: Kept) -> Now:
        """The numbers of the next step."""
        steps = jnp.int32(0) if kept is None else kept["steps"]
        every, weight = self.penalty.every, self.penalty_weight
        if self.burn_in.penalty_weight is not None:
            weight = self._between(weight, self.burn_in.penalty_weight, steps)
        strength = None
        if self.has_strength:
            strength = jnp.float32(self.augmenting.strength)
            if self.burn_in.strength is not None:
                strength = self._between(strength, self.burn_in.strength, steps)
            if kept is not None and "strength" in kept:
                strength = kept["strength"]
        return Now(every * weight, steps % every == 0 if every > 1 else None, strength)

    def decay(self, kept: Kept) -> Any:
        """The decay of the moving average in the next step."""
        later = self.burn_in.average_decay
        if kept is None or later is None or not self.burn_in.steps:
            return self.average_decay
        half_life = self._between(_half_life(self.average_decay), _half_life(later), kept["steps"])
        return jnp.where(half_life > 0, 0.5 ** (1 / jnp.maximum(half_life, 1e-6)), 0)

    def after(self, kept: Kept, sign: Array, images: int) -> Kept:
        """What the state keeps after a step.

        Args:
            kept: before it.
            sign: the mean sign of the real images' logits in it.
            images: real images in it.
        """
        if kept is None:
            return None
        steps = kept["steps"] + 1
        if "strength" not in kept:
            return {"steps": steps}
        every, target = self.augmenting.every, self.augmenting.target
        signs = kept["signs"] + sign
        change = jnp.sign(signs / every - target) * (images * every / self.augmenting.images)
        is_due = steps % every == 0
        strength = jnp.where(is_due, jnp.clip(kept["strength"] + change, 0, 1), kept["strength"])
        return {"steps": steps, "strength": strength, "signs": jnp.where(is_due, 0, signs)}

    def _between(self, first: Any, last: Any, steps: Array) -> Any:
        return between(first, last, steps, self.burn_in.steps)


def between(first: Any, last: Any, step: Any, steps: int) -> Any:
    """The number of a step on half a cosine from one number to another; the first for no steps."""
    if not steps:
        return first
    share = jnp.minimum(step / steps, 1.0)
    return first + (0.5 - 0.5 * jnp.cos(jnp.pi * share)) * (last - first)


def _half_life(decay: float) -> float:
    return math.log(0.5) / math.log(decay) if decay else 0.0
