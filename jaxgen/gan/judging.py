"""How a discriminator judges images: packs of them, real and fake ones together or in turn.

N images, H height, W width, C channels, K classes; M packs of P images, N = M P, with D = P C
channels and labels of L = P K numbers: without packing M, D and L are N, C and K.

With packing (PacGAN: Lin et al. 2018, https://arxiv.org/abs/1712.04086, section 2) the
discriminator judges P images of one origin together, all real or all fake. Each image is augmented
by itself; loss and penalty are those of a pack.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax

from jaxgen.nn import batch_axis

Array = jax.Array
PyTree = Any


@dataclass(frozen=True)
class Critic:
    """What a penalty differentiates, `jaxgen.gan.losses.Critic`: it augments real images and fakes
    by the draws that their logits come from."""

    score: Callable[[Array, Array], Array]
    """Images and the key of their augmentation to logits."""
    of_real: Array
    """The key of real images, and of what lies between them and fakes."""
    of_fake: Array
    """The key of fakes."""

    def __call__(self, images: Array) -> Array:
        return self.score(images, self.of_real)

    def of_fakes(self, images: Array) -> Array:
        """Logits of fakes."""
        return self.score(images, self.of_fake)


@dataclass(frozen=True)
class Judge:
    """A discriminator, and how it is given images."""

    discriminator: nn.Module
    """As `jaxgen.gan.networks.base.Networks.discriminator` describes it."""
    packing: int = 1
    """P."""
    normalizes: bool = False
    """Whether it normalises by the statistics of what it is given: real and fake packs are then
    given to it one after the other."""

    def packs(self, x_N: Any) -> Any:
        """Images (N, H, W, C) or labels (N, K) as it gets them; None stays None."""
        return None if x_N is None else batch_axis.side_by_side(x_N, self.packing)

    def images(self, packs_MHWD: Array) -> Array:
        """The images (N, H, W, C) of packs."""
        return batch_axis.one_by_one(packs_MHWD, self.packing)

    def both(
        self,
        params: PyTree,
        stats: PyTree,
        real_MHWD: Array,
        fake_MHWD: Array,
        label_ML: Array | None,
    ) -> tuple[Array, Array, PyTree]:
        """Logits of real and fake packs (M,) each, and the new statistics."""

        def judge(stats: PyTree, x: Array, label: Array | None) -> tuple[Array, PyTree]:
            logits, updated = self.discriminator.apply(
                {"params": params, "batch_stats": stats},
                x,
                label,
                train=True,
                mutable=["batch_stats"],
            )
            return logits, updated.get("batch_stats", {})

        if self.normalizes:
            real_logits_M, stats = judge(stats, real_MHWD, label_ML)
            fake_logits_M, stats = judge(stats, fake_MHWD, label_ML)
            return real_logits_M, fake_logits_M, stats
        # One pass over both, since no example sees another.
        both = batch_axis.join(real_MHWD, fake_MHWD)
        both_labels = None if label_ML is None else batch_axis.join(label_ML, label_ML)
        logits, stats = judge(stats, both, both_labels)
        real_logits_M, fake_logits_M = batch_axis.parts(logits, 2)
        return real_logits_M, fake_logits_M, stats

    def score(
        self, params: PyTree, stats: PyTree, images_MHWD: Array, label_ML: Array | None
    ) -> Array:
        """Logits (M,) of packs of one origin; its statistics stay as they are."""
        variables = {"params": params, "batch_stats": stats}
        if not self.normalizes:
            logits_M: Any = self.discriminator.apply(variables, images_MHWD, label_ML)
            return logits_M
        return self.discriminator.apply(
            variables, images_MHWD, label_ML, train=True, mutable=["batch_stats"]
        )[0]
