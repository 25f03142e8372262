"""A reward of your own for self-critical training: short captions, told in few words.

    python -m experiments.caption_lstm --workdir runs/a
    python own_reward.py --objective.start runs/a --workdir runs/b

It runs inside the compiled step, on the indices of words. `jaxgen train caption_self_critical
--import own_reward.py --objective.reward own_reward:Brief` finds it as well.

N images, K captions of an image, L places of words.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from experiments import caption_self_critical
from jaxgen.captioning.rewards.base import Reward, Scorer
from jaxgen.commands import cli
from jaxgen.data.captions.base import CaptionData
from jaxgen.settings import setting


@dataclass(frozen=True)
class Brief(Reward):
    """1 for a caption of the words that are wanted, less for each that is missing or too many."""

    words: int = setting(6, least=1, most=1000)
    """Words of a caption, END aside."""

    def scorer(self, data: CaptionData, count_end: bool) -> Scorer:
        vocabulary = data.vocabulary

        def score(shared: Any, of_images: Any, words_NKL: jax.Array) -> jax.Array:
            is_end_NKL = words_NKL == vocabulary.end
            length_NK = jnp.sum((words_NKL != vocabulary.null) & ~is_end_NKL, axis=2)
            reward_NK = 1 - jnp.abs(length_NK - self.words) / self.words
            # A caption that breaks off is not brief.
            return jnp.where(is_end_NKL.any(axis=2) | (not count_end), reward_NK, -1.0)

        return Scorer({}, {}, score)


config = replace(
    caption_self_critical.lstm,
    objective=replace(caption_self_critical.lstm.objective, reward=Brief()),
)

if __name__ == "__main__":
    cli.main(config, __doc__)
