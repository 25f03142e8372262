"""Self-critical training: captions that are drawn and earn more than a baseline become likelier.

Rennie et al. 2017, https://arxiv.org/abs/1612.00563 (the greedy caption as baseline); Kool et al.
2019, https://openreview.net/forum?id=r1lgTGL5DE, and Luo 2020, https://arxiv.org/abs/2003.09971
(the mean of an image's other captions).

N images, K captions of an image, L places of words.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.captioning.losses import caption_token_losses
from jaxgen.captioning.objectives import policy
from jaxgen.captioning.objectives.base import Built, Loss, Objective, Setup
from jaxgen.captioning.rewards.base import Reward, Scorer
from jaxgen.captioning.rewards.cider import Cider
from jaxgen.data.captions.base import CaptionData
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, named, setting
from jaxgen.training.task import Source

Array = jax.Array
PyTree = Any
_REWARD = "reward"  # in a batch: rows of its images, and what all steps share

BAD_ENDINGS = frozenset("a an at for her his in my of on that the this to with".split())
"""Words that no sentence ends with; the list of self-critical.pytorch."""


@named("self_critical")
@dataclass(frozen=True)
class SelfCritical(Objective):
    """Expected reward of the captions that the captioner draws, dropout off; from a trained run."""

    start: str = setting("", may_change=True)
    """The folder of the run whose captioner training starts from."""
    start_sha256: str = ""
    """SHA-256 of that captioner, filled in when a run begins: it may not change afterwards."""
    reward: Reward = Cider()
    """What a caption earns."""
    baseline: Literal["leave_one_out", "greedy"] = "leave_one_out"
    """What a caption has to beat: the mean of the image's other drawn captions, or its greedy
    one."""
    samples: int = setting(5, least=1, most=1000)
    """Captions drawn of each image in a batch."""
    longest: int = setting(0, least=0, most=2**12)
    """Most words of a drawn caption, END included; 0 for those of the longest training caption."""
    count_end: bool = True
    """END is a word like any other for the reward, so that a caption that breaks off earns less."""
    cross_entropy: float = setting(0.0, least=0, most=1e6)
    """Weight of the usual loss on the batch's own captions, beside the expected reward."""

    def check_together(self) -> None:
        """Raise JaxgenError if the numbers do not go with each other."""
        if self.baseline == "leave_one_out" and self.samples < 2:
            raise JaxgenError(
                f"{flag('objective.baseline')} leave_one_out needs {flag('objective.samples')} of "
                f"at least 2, got {self.samples}"
            )
        if not self.start:
            raise JaxgenError(
                f"{flag('objective.start')} must name the folder of a run: self-critical training "
                "starts from a trained captioner"
            )

    def built(self, setup: Setup, data: CaptionData | None) -> Built:
        if data is None:
            raise ValueError("self-critical training needs the set of captions")
        scorer = self.reward.scorer(data, self.count_end)
        return Built(
            self._loss(setup, data, scorer),
            lambda source: _with_rewards(source, scorer, data.train.captions["image_index"]),
        )

    def _loss(self, setup: Setup, data: CaptionData, scorer: Scorer) -> Loss:
        module, special = setup.module, setup.special
        words = data.train.captions["captions"].shape[1] - 1
        longest = self.longest or words
        if longest > setup.max_length:
            raise JaxgenError(
                f"{flag('objective.longest')} {longest} must be at most {flag('max_length')} "
                f"{setup.max_length}"
            )
        is_bad_V = _bad_endings(data.vocabulary)
        greedy = self.baseline == "greedy"

        def loss(
            params: PyTree, batch: dict[str, Any], key: Array, optimizer: PyTree
        ) -> tuple[Array, dict[str, Array]]:
            features, given = batch["features"], batch[_REWARD]
            drawn_NKL = policy.draw(
                module,
                jax.lax.stop_gradient(params),
                features,
                special,
                longest,
                key,
                self.samples,
                greedy,
            )
            reward_NK = scorer.score(given["shared"], given["of_images"], drawn_NKL)
            if greedy:
                baseline_NK = reward_NK[:, :1]
                drawn_NKL, reward_NK = drawn_NKL[:, 1:], reward_NK[:, 1:]
            else:
                others = self.samples - 1
                baseline_NK = (reward_NK.sum(axis=1, keepdims=True) - reward_NK) / others
            loss, found = policy_loss(setup, params, features, drawn_NKL, reward_NK - baseline_NK)
            is_word_NKL = drawn_NKL != special.null
            is_end_NKL = drawn_NKL == special.end
            metrics = {
                "loss": loss,
                "reward": reward_NK.mean(),
                "baseline": baseline_NK.mean(),
                "length": is_word_NKL.sum(axis=2).astype(jnp.float32).mean(),
                "entropy": found.entropy,
                "unended": (~is_end_NKL.any(axis=2)).astype(jnp.float32).mean(),
                "bad_endings": _ends_badly(drawn_NKL, is_word_NKL & ~is_end_NKL, is_bad_V).mean(),
            }
            if self.cross_entropy:
                loss_NT, targets_NT = caption_token_losses(module, params, batch, special.null)
                usual = setup.reduction(loss_NT, targets_NT, special.null)
                metrics["cross_entropy"] = usual
                loss = loss + self.cross_entropy * usual
                metrics["loss"] = loss
            return loss, metrics

        return loss


def _with_rewards(source: Source, scorer: Scorer, image_index: np.ndarray) -> Source:
    """Batches with what the reward has to know of their images; it stays on the device."""
    arrays = {"source": source.arrays, "of_images": scorer.of_images, "shared": scorer.shared}

    def chunk(index_KB: np.ndarray) -> PyTree:
        return {"source": source.chunk(index_KB), "images": image_index[index_KB]}

    def batch(arrays: PyTree, part: PyTree) -> PyTree:
        rows = jax.tree.map(lambda rows: rows[part["images"]], arrays["of_images"])
        given = {_REWARD: {"of_images": rows, "shared": arrays["shared"]}}
        return source.batch(arrays["source"], part["source"]) | given

    return replace(source, arrays=arrays, chunk=chunk, batch=batch)


def policy_loss(
    setup: Setup, params: PyTree, features: Array, words_NKL: Array, advantage_NK: Array
) -> tuple[Array, policy.Probability]:
    """A scalar whose gradient is that of the expected reward, with the other sign.

    The gradient of E[r] is E[(r - b) d log p], for any baseline b that does not depend on the
    caption (Williams 1992; Rennie et al. 2017, equation 5).

    Args:
        setup: the captioner.
        params: its parameters.
        features: of N images.
        words_NKL: captions that were drawn from it.
        advantage_NK: their rewards minus a baseline.

    Returns:
        The mean over captions of advantage times log-probability, negative; and the probability.
    """
    found = policy.probability(setup.module, params, features, setup.special, words_NKL)
    return -jnp.mean(jax.lax.stop_gradient(advantage_NK) * found.log_NK), found


def _bad_endings(vocabulary: Vocabulary) -> np.ndarray:
    return np.array([word in BAD_ENDINGS for word in vocabulary.words])


def _ends_badly(words_NKL: Array, is_word_NKL: Array, is_bad_V: np.ndarray) -> Array:
    """Whether a caption's last word, END aside, is one that no sentence ends with; float32."""
    length_NK = is_word_NKL.sum(axis=2)
    last_NK1 = jnp.maximum(length_NK - 1, 0)[..., None]
    word_NK = jnp.take_along_axis(words_NKL, last_NK1, axis=2)[..., 0]
    return (jnp.asarray(is_bad_V)[word_NK] & (length_NK > 0)).astype(jnp.float32)
