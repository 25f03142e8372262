"""Truth as a reward: true facts of a scene are paid, false ones charged.

Each caption is read back to what it states and checked against its scene on the device, as
`jaxgen.metrics.truth` does it.

N images, K captions of an image, L places of words.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.captioning.rewards.base import Reward, Scorer
from jaxgen.data.captions.base import CaptionData
from jaxgen.data.scenes.rendering import Digit
from jaxgen.errors import JaxgenError
from jaxgen.metrics.truth.batched_verdicts import SceneFacts, judge, scene_facts
from jaxgen.metrics.truth.word_classes import WordClasses
from jaxgen.settings import flag, named, setting

Array = jax.Array
PyTree = Any
_LEAST = -1.0


@named("truth")
@dataclass(frozen=True)
class Truth(Reward):
    """Facts told of a scene, a share of all that there are; less for false ones.

    (facts told + relation · true relations - charge · false statements) / facts of the scene, and
    never below -1, which a caption gets that cannot be read, or that breaks off before END where
    END counts: not to be read never pays.
    """

    relation: float = setting(3.0, least=0, most=1000)
    """What a true relation earns; a fact of a digit, such as its colour, earns 1."""
    charge: float = setting(8.0, least=0, most=1000)
    """What a false statement costs."""

    def scorer(self, data: CaptionData, count_end: bool) -> Scorer:
        scenes = data.train_facts
        if scenes is None:
            raise JaxgenError(
                f"{flag('objective.reward')} truth has to know what is in the training images: use "
                f"{flag('data')} scenes"
            )
        if data.vocabulary.units != "words":
            raise JaxgenError(
                f"{flag('objective.reward')} truth reads words: use {flag('data.units')} words"
            )
        classes, end = WordClasses(data.vocabulary), data.vocabulary.end

        def score(shared: PyTree, of_images: SceneFacts, words_NKL: Array) -> Array:
            captions = words_NKL.shape[1]
            # Each device's captions stay together: the batch is the outer of the merged axes.
            scenes_R = jax.tree.map(lambda x: jnp.repeat(x, captions, axis=0), of_images)
            verdict = judge(words_NKL.reshape(-1, words_NKL.shape[2]), scenes_R, classes)
            false = verdict.stated - verdict.right
            earned = verdict.told + self.relation * verdict.relations_right - self.charge * false
            reward_NK = (earned / (len(Digit._fields) * scenes_R.digits)).reshape(-1, captions)
            is_read_NK = verdict.is_readable.reshape(-1, captions)
            if count_end:
                is_read_NK &= jnp.any(words_NKL == end, axis=2)
            reward_NK = jnp.where(is_read_NK, jnp.maximum(reward_NK, _LEAST), _LEAST)
            return reward_NK.astype(jnp.float32)

        return Scorer(scene_facts(scenes), {}, score)
