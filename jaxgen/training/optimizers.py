"""Optimisers as configurations: a rule by name and its numbers, built into an optax transform."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.settings import Choice, setting

Schedule = Callable[[Any], Any]
"""Steps taken before -> the learning rate of the next one."""


@dataclass(frozen=True)
class Rule(Choice):
    """How gradients become updates: a function of an `Optimizer`'s numbers."""

    transform: Callable[["Optimizer"], optax.GradientTransformation]
    """(numbers) -> what turns gradients into updates, before they are multiplied by the rate."""
    with_schedule: Callable[["Optimizer", Schedule], optax.GradientTransformation] | None = None
    """(numbers, rate) -> what turns gradients into whole updates where the rate changes; None if
    that is `transform` times the rate."""


def _velocity(numbers: "Optimizer", rate: Schedule) -> optax.GradientTransformation:
    """The velocity v = momentum v - rate g, in which each gradient keeps the rate of its step.

    The state is that of a constant rate, -v divided by the newest rate, so that runs that took up
    the rate after the velocity go on.
    """

    def init(params: optax.Params) -> tuple[optax.TraceState, optax.ScaleByScheduleState]:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return optax.TraceState(zeros), optax.ScaleByScheduleState(jnp.int32(0))

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None
    ) -> tuple[optax.Updates, Any]:
        trace, schedule = state
        now, before = (jnp.asarray(rate(schedule.count - ago), jnp.float32) for ago in (0, 1))
        # A rate that is rounded to 0 ends all movement.
        decay = jnp.where(now > 0, numbers.momentum * before / jnp.where(now > 0, now, 1), 0)
        kept = jax.tree.map(lambda g, v: g + decay.astype(g.dtype) * v, updates, trace.trace)
        updates = jax.tree.map(lambda v: -now.astype(v.dtype) * v, kept)
        taken = optax.safe_increment(schedule.count)
        return updates, (optax.TraceState(kept), optax.ScaleByScheduleState(taken))

    return optax.GradientTransformation(init, update)


adam = Rule(lambda numbers: optax.scale_by_adam(numbers.b1, numbers.b2))
"""Kingma and Ba 2015; epsilon 1e-8."""


def _adam_of(b1: float, b2: Schedule) -> optax.GradientTransformation:
    """Adam whose second decay is a function of the updates before; biases are corrected by it."""

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None
    ) -> tuple[optax.Updates, Any]:
        return optax.scale_by_adam(b1, b2(state.count)).update(updates, state, params)

    return optax.GradientTransformation(optax.scale_by_adam(b1).init, update)


sgd = Rule(lambda numbers: optax.identity())
"""Plain gradient descent."""

momentum = Rule(lambda numbers: optax.trace(numbers.momentum), _velocity)
"""Polyak 1964: a velocity that decays and takes up each gradient times the rate of its step."""

rmsprop = Rule(lambda numbers: optax.scale_by_rms(numbers.rms_decay, 1e-8, eps_in_sqrt=False))
"""Tieleman and Hinton 2012; epsilon 1e-8."""


@dataclass(frozen=True)
class Optimizer:
    """An optimiser and its numbers."""

    rule: Rule = adam
    """How gradients become updates."""
    learning_rate: float = setting(1e-3, above=0)
    """Size of a step."""
    b1: float = setting(0.9, least=0, below=1)
    """adam: decay of the first moment."""
    b2: float = setting(0.999, least=0, below=1)
    """adam: decay of the second moment."""
    momentum: float = setting(0.9, least=0, below=1)
    """momentum: decay of the velocity."""
    rms_decay: float = setting(0.99, least=0, below=1)
    """rmsprop: decay of the mean square."""
    epoch_decay: float = setting(1.0, above=0)
    """Factor on the learning rate after each epoch."""
    warm_up: int = setting(0, least=0, most=2**31 - 1)
    """Steps over which the learning rate rises to its full size."""
    cosine: bool = False
    """Let the learning rate fall to 0 over the run, along half a cosine."""

    def tied_to_steps(self) -> str:
        """Why the first steps depend on how many there are in all; "" if they do not."""
        return "the learning rate falls along a cosine over all steps" if self.cosine else ""

    def build(
        self,
        steps: int,
        steps_per_epoch: int,
        *,
        factor: Schedule | None = None,
        b2: Schedule | None = None,
        updates: int = 1,
    ) -> optax.GradientTransformation:
        """The optax transform of these numbers.

        Args:
            steps: of the run.
            steps_per_epoch: of those.
            factor: on the learning rate, of a step counted from 0.
            b2: adam's, where it changes.
            updates: in each step.
        """

        def rate(update: Any) -> Any:
            """The learning rate of an update counted from 0."""
            step = update // updates if updates > 1 else update
            now = self.learning_rate * self.epoch_decay ** (step // steps_per_epoch)
            if self.warm_up:
                now *= jnp.minimum(1.0, (step + 1) / self.warm_up)
            if factor:
                now *= factor(step)
            return now * (0.5 + 0.5 * jnp.cos(jnp.pi * step / steps)) if self.cosine else now

        constant = self.epoch_decay == 1 and not self.warm_up and not self.cosine and not factor
        if self.rule.with_schedule and not constant:
            return self.rule.with_schedule(self, rate)
        transform = self.rule.transform(self)
        if b2 and self.rule is adam:
            transform = _adam_of(self.b1, lambda update: b2(update // updates))
        return optax.chain(
            transform,
            optax.scale_by_learning_rate(self.learning_rate if constant else rate),
        )


def updated(
    rule: optax.GradientTransformation, gradient: optax.Updates, state: Any, params: optax.Params
) -> tuple[optax.Params, Any]:
    """Parameters after one step of a rule, and its own state; profiles call it "optimizer"."""
    with jax.named_scope("optimizer"):
        updates, state = rule.update(gradient, state, params)
        return optax.apply_updates(params, updates), state
