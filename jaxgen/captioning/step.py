"""One training step of image captioners, for any captioner, features and loss.

N batch, T time, V vocabulary. A captioner reads a caption without its last token and predicts the
same caption without its first (Vinyals et al. 2015, https://arxiv.org/abs/1411.4555, equation 1);
what the loss makes of that is the objective's.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax

from jaxgen.captioning.objectives.base import Loss
from jaxgen.training.optimizers import updated

Array = jax.Array
PyTree = Any


@flax.struct.dataclass
class CaptionState:
    """The state of a captioner, as one pytree."""

    params: PyTree
    optimizer: PyTree


@dataclass(frozen=True)
class Captioning:
    """A captioner and all that its training step depends on."""

    module: nn.Module
    """As `jaxgen.captioning.captioners.base.Captioner.module` describes it."""
    feature_shape: tuple[int, ...]
    """Of one image's features."""
    objective: Loss
    """What is minimised."""
    optimizer: optax.GradientTransformation
    """How that number is minimised."""

    def init(self, key: Array, batch: dict[str, Array]) -> CaptionState:
        """The state before the first step."""
        features = jnp.zeros((1, *self.feature_shape), batch["features"].dtype)
        params = self.module.init(key, features, jnp.zeros((1, 2), jnp.int32))["params"]
        return CaptionState(params, self.optimizer.init(params))

    def step(
        self, state: CaptionState, batch: dict[str, Array], key: Array
    ) -> tuple[CaptionState, dict[str, Array]]:
        """One update on `captions` int32 (N, T) and `features`.

        `key` is for all that is drawn: words, dropout, how pictures are moved.
        """

        def objective(params: PyTree) -> tuple[Array, dict[str, Array]]:
            return self.objective(params, batch, key, state.optimizer)

        gradient, metrics = jax.grad(objective, has_aux=True)(state.params)
        params, kept = updated(self.optimizer, gradient, state.optimizer, state.params)
        return CaptionState(params, kept), metrics
