"""Images from a trained generator.

N images, Z noise, H height, W width, C channels, K classes, B images of one compiled program.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from jaxgen.gan.noise import Noise

Array = jax.Array
ArrayLike = jax.Array | np.ndarray
PyTree = Any
Statistics = Literal["running", "batch"]


class Weights(NamedTuple):
    """What a generator needs to make images."""

    params: PyTree
    stats: PyTree
    """The collection "batch_stats": running averages; {} where there are none."""


@dataclass(frozen=True)
class Sampler:
    """A generator and how it is sampled.

    An image depends on its own noise and label alone, whatever else is drawn with it, unless
    `statistics` is "batch".
    """

    generator: nn.Module
    """As `jaxgen.gan.networks.base.Networks.generator` describes it."""
    noise: Noise
    """The distribution of its input."""
    noise_size: int
    """Z."""
    classes: int = 0
    """K; 0 for a generator that sees no labels."""
    block: int = 128
    """B: how many images are drawn at a time, so that one program is compiled."""
    statistics: Statistics = "running"
    """What batch norm uses: the running averages of training, or the statistics of the B images
    that are drawn together, as the course's DCGAN does, which makes them depend on each other."""

    @partial(jax.jit, static_argnums=0)
    def images(self, weights: Weights, noise_NZ: ArrayLike, label_N: ArrayLike) -> Array:
        """Images (N, H, W, C) in [-1, 1] from noise."""
        label_NK = jax.nn.one_hot(label_N, self.classes) if self.classes else None
        images_NHWC: Array = self.generator.apply(
            {"params": weights.params, "batch_stats": weights.stats},
            noise_NZ,
            label_NK,
            train=self.statistics == "batch",
            mutable=["batch_stats"],
        )[0]
        return images_NHWC

    def weight_shapes(self) -> Weights:
        """Shapes and dtypes of the weights that the generator needs."""
        noise_NZ = jax.ShapeDtypeStruct((2, self.noise_size), np.float32)
        label_NK = jax.ShapeDtypeStruct((2, self.classes), np.float32) if self.classes else None
        init = partial(self.generator.init, train=True)
        variables = jax.eval_shape(init, jax.random.key(0), noise_NZ, label_NK)
        return Weights(variables["params"], variables.get("batch_stats", {}))

    def draw_noise(self, n: int, seed: int) -> np.ndarray:
        """Noise float32 (at least n, Z) in whole blocks; the first rows do not depend on `n`."""
        keys = [jax.random.fold_in(jax.random.key(seed), i) for i in range(-(-n // self.block))]
        shape = (self.block, self.noise_size)
        return np.concatenate([np.asarray(self.noise.draw(key, shape)) for key in keys])

    def sample(
        self, weights: Weights, n: int, seed: int = 0, labels: np.ndarray | None = None
    ) -> np.ndarray:
        """`n` images, float32 (n, H, W, C) in [-1, 1]; without labels the classes take turns."""
        labels = self.turns(0, n) if labels is None else labels
        return self.sample_from(weights, self.draw_noise(n, seed)[:n], labels, seed)

    def sample_from(
        self, weights: Weights, noise_NZ: np.ndarray, labels: np.ndarray, seed: int = 0
    ) -> np.ndarray:
        """An image for each row of noise: float32 (N, H, W, C) in [-1, 1].

        The last block is filled up with other noise and all classes in turn, since batch statistics
        need a whole one.
        """
        n = len(noise_NZ)
        filling = self.draw_noise(n + self.block, seed)[n:]
        noise_NZ = np.concatenate([noise_NZ, filling])
        labels = np.concatenate([labels, self.turns(n, n + len(filling))])
        blocks = [slice(start, start + self.block) for start in range(0, n, self.block)]
        made = [np.asarray(self.images(weights, noise_NZ[b], labels[b])) for b in blocks]
        return np.concatenate(made)[:n]

    def turns(self, start: int, stop: int) -> np.ndarray:
        """Labels of images `start` to `stop`, the classes one after the other: int (n,)."""
        return np.arange(start, stop) % max(self.classes, 1)
