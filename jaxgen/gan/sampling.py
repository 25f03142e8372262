"""Images from a trained generator.

N images, Z noise, H height, W width, C channels, K classes, B images of one compiled program.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from jaxgen.gan.noise import Noise
from jaxgen.nn import batch_axis, placing
from jaxgen.settings.memory import refuse_too_much

Array = jax.Array
ArrayLike = jax.Array | np.ndarray
PyTree = Any
Statistics = Literal["running", "batch"]
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


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
    cluster_sizes: tuple[int, ...] = ()
    """Where its labels are clusters, which nobody asks for: how many real images each has (K,)."""
    block: int = 128
    """B: how many images are drawn at a time, so that one program is compiled."""
    statistics: Statistics = "running"
    """What batch norm uses: the running averages of training, or the statistics of the B images
    that are drawn together, as the course's DCGAN does, which makes them depend on each other."""

    @property
    def asked_classes(self) -> int:
        """Classes that can be asked for; 0 where there are none, or only clusters."""
        return 0 if self.cluster_sizes else self.classes

    @partial(jax.jit, static_argnums=0)
    def images(self, weights: Weights, noise_NZ: Array, label_N: Array) -> Array:
        """Images (N, H, W, C) in [-1, 1] from noise.

        A pure function, for any transformation; `sample` and `sample_from` collect in NumPy what
        it makes. `label_N` may also be shares of the classes, floats (N, K): what lies between the
        labels of two classes lies between their embeddings too.
        """
        n = noise_NZ.shape[0]  # a symbol where any number of rows is exported
        # Batch statistics are of these rows and no others.
        spread = batch_axis.split if self.statistics == "batch" else batch_axis.spread
        noise_NZ, label_N = spread(noise_NZ), spread(label_N)
        label_NK = self._shares(label_N) if self.classes else None
        images_NHWC: Array = self.generator.apply(
            {"params": weights.params, "batch_stats": weights.stats},
            noise_NZ,
            label_NK,
            train=self.statistics == "batch",
            mutable=["batch_stats"],
        )[0]
        return batch_axis.whole(images_NHWC, n)

    def _shares(self, label_N: Array) -> Array:
        if label_N.ndim == 2:
            return label_N
        return jax.nn.one_hot(label_N, self.classes, dtype=np.float32)

    def weight_shapes(self) -> Weights:
        """Shapes and dtypes of the weights that the generator needs."""
        noise_NZ = jax.ShapeDtypeStruct((2, self.noise_size), np.float32)
        label_NK = jax.ShapeDtypeStruct((2, self.classes), np.float32) if self.classes else None
        init = partial(self.generator.init, train=True)
        variables = jax.eval_shape(init, jax.random.key(0), noise_NZ, label_NK)
        return Weights(variables["params"], variables.get("batch_stats", {}))

    def draw_noise(self, n: int, seed: int, truncation: float | None = None) -> np.ndarray:
        """Noise float32 (at least n, Z) in whole blocks; the first rows do not depend on `n`.

        Args:
            n: rows that are needed.
            seed: of the noise.
            truncation: the bound of `jaxgen.gan.noise`; None for none.

        Raises:
            JaxgenError: the noise cannot be truncated so.
        """
        blocks = range(-(-n // self.block))
        return np.concatenate([self._noise_block(block, seed, truncation) for block in blocks])

    def between(
        self,
        start_NZ: np.ndarray,
        end_NZ: np.ndarray,
        share_S: np.ndarray,
        walk: str | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Noise on the ways from rows to others, float32 (N·S, Z), the S points of each in turn.

        Args:
            start_NZ: rows that were drawn without truncation.
            end_NZ: the same.
            share_S: how far along each way, in [0, 1].
            walk: the way, as for `Noise.way`.
            truncation: of every point; a spherical way between truncated ends leaves the bound.

        Raises:
            JaxgenError: there is no such walk, or the noise cannot be truncated so.
        """
        points: Callable[..., Array] = jax.vmap(
            jax.vmap(self.noise.way(walk), (None, None, 0)), (0, 0, None)
        )
        points_NSZ = points(start_NZ, end_NZ, share_S)
        truncated_NSZ = self.noise.truncated(points_NSZ, truncation)
        return np.asarray(truncated_NSZ).reshape(-1, self.noise_size)

    def sample(
        self,
        weights: Weights,
        n: int,
        seed: int = 0,
        labels: np.ndarray | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """`n` images, float32 (n, H, W, C) in [-1, 1], without labels those of `turns`."""
        labels = self.turns(0, n) if labels is None else labels
        return _collected(self._blocks(weights, n, seed, None, labels, truncation), n)

    def sample_from(
        self,
        weights: Weights,
        noise_NZ: np.ndarray,
        labels: np.ndarray,
        seed: int = 0,
        truncation: float | None = None,
    ) -> np.ndarray:
        """An image for each row of noise: float32 (N, H, W, C) in [-1, 1].

        Labels are classes, ints (N,), or shares of them, float32 (N, K). The last block is filled
        up with other noise and all classes in turn, since batch statistics need a whole one;
        `truncation` is of that other noise, the rows are taken as they are.
        """
        n = len(noise_NZ)
        return _collected(self._blocks(weights, n, seed, noise_NZ, labels, truncation), n)

    def started(self, weights: Weights, seed: int, labels: np.ndarray) -> Callable[[], np.ndarray]:
        """`sample` of these labels under way on the devices: what it returns waits for it."""
        blocks = list(self._blocks(weights, len(labels), seed, None, labels))
        return lambda: _collected(blocks, len(labels))

    def _blocks(
        self,
        weights: Weights,
        n: int,
        seed: int,
        noise_NZ: np.ndarray | None,
        labels: np.ndarray,
        truncation: float | None = None,
    ) -> Iterator[tuple[int, int, Array]]:
        """Blocks of images on the devices, each with the first and last of `n` that it has."""
        for block, start in enumerate(range(0, n, self.block)):
            stop = min(n, start + self.block)
            noise_BZ = self._noise_block(block, seed, truncation)
            if noise_NZ is not None:
                noise_BZ = np.concatenate([noise_NZ[start:stop], noise_BZ[stop - start :]])
            others = self.turns(stop, start + self.block)
            if labels.ndim == 2:
                others = np.eye(self.classes, dtype=np.float32)[others]
            label_B = np.concatenate([labels[start:stop], others])
            with placing.around(weights):
                made_BHWC = self.images(weights, noise_BZ, label_B)
            yield start, stop, made_BHWC

    def _noise_block(self, block: int, seed: int, truncation: float | None) -> np.ndarray:
        with jax.ensure_compile_time_eval():  # numbers also while another program is traced
            key = jax.random.fold_in(jax.random.key(seed), block)
            drawn_BZ = self.noise.draw(key, (self.block, self.noise_size))
            return np.asarray(self.noise.truncated(drawn_BZ, truncation))

    def turns(self, start: int, stop: int) -> np.ndarray:
        """Labels of images `start` to `stop`: int (n,).

        The classes one after the other; or clusters as often as real images fall on them, as
        evenly in every stretch of images as multiples of the golden ratio fall on an interval.
        """
        place_N = np.arange(start, stop)
        if not self.cluster_sizes:
            return place_N % max(self.classes, 1)
        end_K = np.cumsum(self.cluster_sizes)
        share_N = (place_N + 0.5) * _GOLDEN_RATIO % 1
        return np.searchsorted(end_K, share_N * end_K[-1], side="right")


def _collected(blocks: Iterable[tuple[int, int, Array]], n: int) -> np.ndarray:
    """The `n` images of blocks, one after the other: one block and all images are in memory."""
    images_NHWC = None
    for start, stop, made in blocks:
        made_BHWC = np.asarray(made)
        if images_NHWC is None:
            refuse_too_much(n * made_BHWC[0].nbytes, f"{n} samples", "draw fewer")
            images_NHWC = np.empty((n, *made_BHWC.shape[1:]), made_BHWC.dtype)
        images_NHWC[start:stop] = made_BHWC[: stop - start]
    if images_NHWC is None:
        raise ValueError("there are no images to make")
    return images_NHWC
