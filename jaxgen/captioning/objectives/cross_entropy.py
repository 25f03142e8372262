"""The usual objective: cross-entropy of the next word; with smoothed labels and own words read.

N batch, T time, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.captioning.decoding.captioner_steps import SpecialWords, ban
from jaxgen.captioning.losses import caption_token_losses
from jaxgen.captioning.objectives import steps_taken
from jaxgen.captioning.objectives.base import Built, Loss, Objective, Setup
from jaxgen.data.captions.base import CaptionData
from jaxgen.nn import batch_axis
from jaxgen.settings import named, setting

Array = jax.Array
PyTree = Any


@named("cross_entropy")
@dataclass(frozen=True)
class CrossEntropy(Objective):
    """Cross-entropy of the next word of given captions."""

    label_smoothing: float = setting(0.0, least=0, below=1)
    """Share of a target's probability that all words get alike (Szegedy et al. 2016)."""
    scheduled_sampling: float = setting(0.0, least=0, most=1)
    """In the end, the share of words that the captioner draws itself before it reads them, instead
    of the given ones (Bengio et al. 2015)."""
    scheduled_sampling_rise: int = setting(1000, least=1, most=2**31 - 1)
    """Steps over which that share rises from 0, along a line."""

    def built(self, setup: Setup, data: CaptionData | None) -> Built:
        if self.scheduled_sampling:
            return Built(self._loss(setup), optimizer=steps_taken.counting)
        return Built(self._loss(setup))

    def _loss(self, setup: Setup) -> Loss:
        module, null = setup.module, setup.special.null

        def loss(
            params: PyTree, batch: dict[str, Any], key: Array, optimizer: PyTree
        ) -> tuple[Array, dict[str, Array]]:
            read = {}
            if self.scheduled_sampling:
                step = steps_taken.count(optimizer).astype(jnp.float32)
                share = self.scheduled_sampling * jnp.minimum(
                    1.0, step / self.scheduled_sampling_rise
                )
                own_key, key = jax.random.split(key)
                read = {
                    "read_NT": with_own_words(module, params, batch, setup.special, share, own_key)
                }
            loss_NT, targets_NT = caption_token_losses(
                module,
                params,
                batch,
                null,
                smoothing=self.label_smoothing,
                train=True,
                rngs={"dropout": key},
                **read,
            )
            loss = setup.reduction(loss_NT, targets_NT, null)
            return loss, {"loss": loss}

        return loss


def with_own_words(
    module: nn.Module,
    params: PyTree,
    batch: dict[str, Array],
    special: SpecialWords,
    share: float | Array,
    key: Array,
) -> Array:
    """What is read of captions, (N, T - 1), where a share of the words is the captioner's own.

    A word is replaced, with that probability, by one that is drawn from what the captioner expects
    after all that it has read before, own words among it. No gradient flows through the draw, and
    dropout is off in it. START and padding stay.

    Reference:
        Bengio et al. 2015, https://arxiv.org/abs/1506.03099, section 2.4.
    """
    captions_NT = batch["captions"]

    def apply(*args: Any, method: str) -> Any:
        return module.apply({"params": jax.lax.stop_gradient(params)}, *args, method=method)

    def step(carry: PyTree, given: tuple[Array, Array]) -> tuple[PyTree, Array]:
        t, next_N = given
        carry, word_N = carry
        carry, logits_NV = apply(carry, word_N, method="step")
        coin_key, word_key = jax.random.split(jax.random.fold_in(key, t))
        gumbel_NV = batch_axis.split(jax.random.gumbel(word_key, logits_NV.shape))
        own_N = jnp.argmax(ban(logits_NV, special) + gumbel_NV, axis=1).astype(jnp.int32)
        is_own_N = batch_axis.split(jax.random.uniform(coin_key, next_N.shape)) < share
        word_N = jnp.where(is_own_N & (next_N != special.null), own_N, next_N)
        return (carry, word_N), word_N

    start = apply(batch["features"], method="start"), captions_NT[:, 0]
    times = jnp.arange(captions_NT.shape[1] - 2), captions_NT[:, 1:-1].T
    _, words_TN = jax.lax.scan(step, start, times)
    return jnp.concatenate([captions_NT[:, :1], words_TN.T], axis=1)
