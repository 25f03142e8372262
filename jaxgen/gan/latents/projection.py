"""The input of a generator whose image is nearest to a given picture.

N pictures, R restarts of each, B = P·R rows of one compiled program, Z noise, S stages that are
shown, H height, W width, C channels, F features.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.display import progress
from jaxgen.errors import JaxgenError
from jaxgen.gan.latents.candidates import candidates
from jaxgen.gan.latents.search import Search
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.nn import placing
from jaxgen.settings.memory import refuse_too_much

Array = jax.Array
_ROWS = 128  # of one program, at most, unless a picture has more restarts


class Projected(NamedTuple):
    """What was found of N pictures."""

    noise: np.ndarray
    """float32 (N, Z): `TrainedGan.generate` makes the images of it."""
    labels: np.ndarray | None
    """Their classes, int (N,); None where the model is not conditional."""
    images: np.ndarray
    """float32 (N, H, W, C) in [-1, 1]."""
    distance: np.ndarray
    """Root mean squared difference of the pixels, from 0 to 1, of image and picture: float (N,)."""
    at_random: np.ndarray
    """The same of the nearest of the random samples: what no search at all finds."""
    feature_distance: np.ndarray | None
    """Root mean squared difference of the features, float (N,), where they were compared; two
    pictures of a data set that have nothing in common differ by about 1.4."""
    way: np.ndarray
    """The image at S stages of the search, float32 (N, S, H, W, C)."""
    steps: np.ndarray
    """After how many steps each stage was reached, int (S,)."""
    negative: np.ndarray
    """bool (N,): whether the negative of the picture is nearer to a random sample than it is."""


class _State(NamedTuple):
    noise_BZ: Array
    moments: Any
    best_BZ: Array
    least_B: Array


@dataclass(frozen=True)
class Projection:
    """The programs of a search."""

    sampler: Sampler
    search: Search
    features: Callable[[Array], Array] | None
    """Images (N, H, W, C) in [-1, 1] to features (N, F); None to compare pixels alone."""

    @property
    def _adam(self) -> optax.GradientTransformation:
        first = self.search.learning_rate * self.sampler.noise.spread
        return optax.adam(optax.cosine_decay_schedule(first, self.search.steps))

    @partial(jax.jit, static_argnums=0)
    def begun(self, noise_BZ: Array) -> _State:
        """The state of a search from these inputs."""
        far_B = jnp.full(len(noise_BZ), jnp.inf, jnp.float32)
        return _State(noise_BZ, self._adam.init(noise_BZ), noise_BZ, far_B)

    @partial(jax.jit, static_argnums=0)
    def step(
        self,
        weights: Weights,
        state: _State,
        picture_BHWC: Array,
        seen_BF: Array | None,
        label_B: Array,
    ) -> _State:
        """One step of Adam on each row; no row sees another.

        What falls is the mean squared difference of the pixels, from 0 to 1, and, weighted, of the
        features. Noise is then moved to what its distribution might have drawn. The best input so
        far is the one whose image was nearest.
        """

        def total(noise_BZ: Array) -> tuple[Array, Array]:
            made_BHWC = self.sampler.images(weights, noise_BZ, label_B)
            distance_B = squared(made_BHWC, picture_BHWC) / 4
            if seen_BF is not None and self.features is not None:
                apart_B = squared(self.features(made_BHWC), seen_BF)
                distance_B += self.search.feature_weight * apart_B
            return distance_B.sum(), distance_B

        (_, distance_B), slope_BZ = jax.value_and_grad(total, has_aux=True)(state.noise_BZ)
        nearer_B = distance_B < state.least_B
        best_BZ = jnp.where(nearer_B[:, None], state.noise_BZ, state.best_BZ)
        update_BZ, moments = self._adam.update(slope_BZ, state.moments)
        moved_BZ: Any = optax.apply_updates(state.noise_BZ, update_BZ)
        noise_BZ = self.sampler.noise.typical(moved_BZ)
        return _State(noise_BZ, moments, best_BZ, jnp.minimum(distance_B, state.least_B))

    @partial(jax.jit, static_argnums=0)
    def seen(self, image_NHWC: Array) -> Array | None:
        """Features (N, F) of images; None where pixels alone are compared."""
        return None if self.features is None else self.features(image_NHWC)


def squared(a: Array, b: Array) -> Array:
    """Mean squared difference of each row."""
    return jnp.square(a - b).reshape(len(a), -1).mean(axis=1)


def project(
    projection: Projection,
    weights: Weights,
    pictures: np.ndarray,
    labels: np.ndarray | None = None,
    seed: int = 0,
    stages: int = 9,
) -> Projected:
    """Look for pictures in a generator's input, a block of them at a time.

    What is found of a picture does not depend on the others, up to rounding.

    Args:
        projection: how.
        weights: of the generator.
        pictures: float32 (N, H, W, C) in [-1, 1], N >= 1.
        labels: their classes, int (N,), of a conditional model; where they are not given, each
            restart keeps the class of the random sample that it begins from.
        seed: of the random samples.
        stages: how many are shown, evenly spaced from before the first step to after the last.

    Raises:
        JaxgenError: the model is sampled with batch statistics; memory does not hold the result.

    Reference:
        Lipton and Tripathi 2017, https://arxiv.org/abs/1702.04782 (recovering inputs, clipped).
    """
    sampler, search = projection.sampler, projection.search
    if sampler.statistics == "batch":
        raise JaxgenError(
            "this model is sampled with batch statistics, so that an image has no input of its "
            "own to be found; set its sampling_statistics to running"
        )
    refuse_too_much(
        3 * pictures.nbytes * stages, f"the way of {len(pictures)} pictures", "give fewer"
    )
    seen = partial(_seen, projection)
    random = candidates(sampler, weights, search, seen, pictures, labels, seed)
    pictures_of_block = min(len(pictures), max(1, _ROWS // search.restarts))
    reached = np.unique(np.linspace(0, search.steps, stages).astype(int))
    found = []
    blocks = range(0, len(pictures), pictures_of_block)
    with progress.bar(
        total=len(blocks) * search.steps, desc="projecting", unit="step", delay=1
    ) as done:
        for start in blocks:
            # The last block is filled up with its last picture, so that one program is compiled.
            rows_P = np.arange(start, start + pictures_of_block).clip(max=len(pictures) - 1)
            best = random.first_NR[rows_P].reshape(-1)
            noise_BZ, label_B = random.noise_MZ[best], random.label_M[best]
            picture_BHWC = np.repeat(pictures[rows_P], search.restarts, axis=0)
            stages_SBZ, least_B = _searched(
                projection, weights, noise_BZ, picture_BHWC, label_B, reached, done
            )
            least_PR = least_B.reshape(-1, search.restarts)
            row_P = np.arange(len(rows_P)) * search.restarts + least_PR.argmin(axis=1)
            new = slice(0, len(pictures) - start)
            found.append((stages_SBZ[:, row_P[new]].swapaxes(0, 1), label_B[row_P[new]]))
    noise_NSZ, label_N = (np.concatenate(parts) for parts in zip(*found, strict=True))
    count, shown = noise_NSZ.shape[:2]
    way = sampler.sample_from(
        weights, noise_NSZ.reshape(count * shown, -1), np.repeat(label_N, shown)
    ).reshape(count, shown, *pictures.shape[1:])
    images = way[:, -1]
    return Projected(
        noise=noise_NSZ[:, -1],
        labels=label_N if sampler.classes else None,
        images=images,
        distance=np.sqrt(((images - pictures) ** 2).reshape(count, -1).mean(1)) / 2,
        at_random=random.distance_N,
        feature_distance=_features_apart(projection, images, pictures),
        way=way,
        steps=reached,
        negative=random.negative_N,
    )


def _searched(
    projection: Projection,
    weights: Weights,
    noise_BZ: np.ndarray,
    picture_BHWC: np.ndarray,
    label_B: np.ndarray,
    reached: np.ndarray,
    done: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """The best inputs after the steps that are `reached`, (S, B, Z), and how near the last are."""
    stages = []
    with placing.around(weights):
        pictures, labels = jnp.asarray(picture_BHWC), jnp.asarray(label_B)
        state = projection.begun(jnp.asarray(noise_BZ))
        seen_BF = projection.seen(pictures) if projection.search.feature_weight else None
        # A loop of calls and not of XLA's, within which convolutions are slow on CPU. The step
        # after the last one only looks at what the last one reached.
        for step in range(projection.search.steps + 1):
            state = projection.step(weights, state, pictures, seen_BF, labels)
            if step in reached:
                stages.append(np.asarray(state.best_BZ))
            done.update(step < projection.search.steps)
    return np.stack(stages), np.asarray(state.least_B)


def _seen(projection: Projection, images: np.ndarray) -> np.ndarray | None:
    """Features (N, F) of images, in blocks; None where pixels alone are compared."""
    if projection.features is None:
        return None
    blocks = [images[start : start + _ROWS] for start in range(0, len(images), _ROWS)]
    return np.concatenate([np.asarray(projection.seen(jnp.asarray(block))) for block in blocks])


def _features_apart(
    projection: Projection, images: np.ndarray, pictures: np.ndarray
) -> np.ndarray | None:
    seen = _seen(projection, images), _seen(projection, pictures)
    if seen[0] is None or seen[1] is None:
        return None
    return np.sqrt(np.square(seen[0] - seen[1]).mean(1))
