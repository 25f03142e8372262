"""What a trained generator's input holds: walks, projection, directions, neighbours.

N images, Z noise, D directions, S strengths.
"""

import dataclasses
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from jaxgen.data.images.base import open_images
from jaxgen.data.images.stored import StoredImages
from jaxgen.errors import JaxgenError
from jaxgen.gan.latents import directions, seeing
from jaxgen.gan.latents.checking import checked_images, checked_noise
from jaxgen.gan.latents.copying import Copying, copying
from jaxgen.gan.latents.projection import Projected, Projection, project
from jaxgen.gan.latents.search import Features, NeighbourFeatures, Search
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.settings.memory import refuse_too_much
from jaxgen.training.task import Saved, TrainConfig


class ExploredGan:
    """The part of `TrainedGan` that looks into the generator's input."""

    config: TrainConfig
    classes: int
    _sampler: Sampler
    _weights: Weights
    _saved: Saved
    _checked_labels: Callable[[Any], np.ndarray]

    @property
    def noise_size(self) -> int:
        """Z, the numbers of an input."""
        return self._sampler.noise_size

    def noise(self, n: int, seed: int = 0, truncation: float | None = None) -> np.ndarray:
        """The inputs that `sample` makes images of: float32 (n, Z); the same seed, the same noise.

        Raises:
            JaxgenError: memory does not hold them, or they cannot be truncated so.
        """
        if n < 1:
            raise JaxgenError(f"n must be at least 1, got {n}")
        self._refuse_many(n)
        return self._sampler.draw_noise(n, seed, truncation)[:n]

    def generate(self, noise: Any, labels: Any = None) -> np.ndarray:
        """The images of given inputs.

        Args:
            noise: floats (n, Z).
            labels: classes, ints (n,), or shares of the classes, floats (n, classes), of a
                conditional model, by default all in turn; or clusters, as `sample` has them.

        Returns:
            float32 (n, height, width, channels) in [-1, 1].

        Raises:
            JaxgenError: an array of another shape, values that are not finite, no such class.
        """
        noise_NZ = checked_noise(noise, self._sampler.noise_size)
        n = len(noise_NZ)
        if labels is None:
            label_N = self._sampler.turns(0, n)
        elif np.ndim(labels) == 2 and self._sampler.classes:
            label_N = checked_noise(labels, self._sampler.classes, "shares of the classes")
        else:
            label_N = self._checked_labels(labels)
        if len(label_N) != n:
            raise JaxgenError(f"{n} rows of noise need as many labels, got {len(label_N)}")
        return self._sampler.sample_from(self._weights, noise_NZ, label_N)

    def interpolate(
        self,
        seed: int = 0,
        rows: int = 8,
        columns: int = 10,
        walk: str | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Images on the way from one random input to another, a row of the grid for each pair.

        Args:
            seed: of the inputs.
            rows: pairs of them.
            columns: images on each way, both ends included.
            walk: "linear", "spherical", or by default what suits the noise: linear for uniform,
                spherical for normal noise. A spherical walk of uniform noise goes through the
                normal distribution, number by number, and stays in the box.
            truncation: as for `sample`; of every point of a way.

        Returns:
            float32 (rows * columns, height, width, channels) in [-1, 1]; in a conditional model
            each row is of one class.

        Raises:
            JaxgenError: memory does not hold them, there is no such walk, or the noise cannot be
                truncated so.
        """
        _refuse_no_rows(rows, columns)
        sampler = self._sampler
        self._refuse_many(rows * columns)
        drawn_NZ = sampler.draw_noise(2 * rows, seed)[: 2 * rows]
        shares = np.linspace(0, 1, columns, dtype=np.float32)
        noise_NZ = sampler.between(drawn_NZ[::2], drawn_NZ[1::2], shares, walk, truncation)
        labels = np.repeat(sampler.turns(0, rows), columns)
        return sampler.sample_from(self._weights, noise_NZ, labels, seed, truncation)

    def walk(
        self,
        seed: int = 0,
        stops: int = 4,
        steps: int = 12,
        labels: Any = None,
        walk: str | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Images on a way through random inputs, one after the other, and back to the first.

        Args:
            seed: of the noise.
            stops: how many inputs, those of the first samples of this seed.
            steps: images from one to the next.
            labels: classes of a conditional model that go the same way side by side; by default the
                first one.
            walk: as for `interpolate`.
            truncation: the same.

        Returns:
            float32 (stops * steps, classes that go, height, width, channels) in [-1, 1].

        Raises:
            JaxgenError: as `sample` does, memory does not hold them, or there is no such walk.
        """
        if stops < 2 or steps < 1:
            raise JaxgenError(f"stops must be at least 2 and steps 1, got {stops} and {steps}")
        label_K = np.zeros(1, int) if labels is None else self._checked_labels(labels)
        sampler = self._sampler
        self._refuse_many(stops * steps * len(label_K))
        stop_NZ = sampler.draw_noise(stops, seed)[:stops]
        shares = np.arange(steps, dtype=np.float32) / steps
        noise_NZ = sampler.between(stop_NZ, np.roll(stop_NZ, -1, axis=0), shares, walk, truncation)
        images_NHWC = sampler.sample_from(
            self._weights,
            np.repeat(noise_NZ, len(label_K), axis=0),
            np.tile(label_K, len(noise_NZ)),
            seed,
            truncation,
        )
        return images_NHWC.reshape(len(noise_NZ), len(label_K), *images_NHWC.shape[1:])

    def interpolate_classes(
        self,
        start: int,
        end: int,
        seed: int = 0,
        rows: int = 8,
        columns: int = 10,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Images on the way from one class to another, a row of the grid for each random input.

        The input stays, and the label goes along the straight line between both classes' one-hot
        vectors, so that what networks make of them linearly, embeddings for one, does too.

        Returns:
            float32 (rows * columns, height, width, channels) in [-1, 1].

        Raises:
            JaxgenError: the model takes no labels or lacks these classes, memory is not enough, or
                the noise cannot be truncated so.
        """
        ends = self._checked_labels([start, end])
        _refuse_no_rows(rows, columns)
        self._refuse_many(rows * columns)
        noise_RZ = self.noise(rows, seed, truncation)
        one_hot = np.eye(self._sampler.classes, dtype=np.float32)[ends]
        shares = np.linspace(0, 1, columns, dtype=np.float32)[:, None]
        label_NK = np.tile((1 - shares) * one_hot[:1] + shares * one_hot[1:], (rows, 1))
        noise_NZ = np.repeat(noise_RZ, columns, axis=0)
        return self._sampler.sample_from(self._weights, noise_NZ, label_NK, seed, truncation)

    def project(
        self,
        images: Any,
        labels: Any = None,
        search: Search | None = None,
        seed: int = 0,
        features: Features = "auto",
        stages: int = 9,
    ) -> Projected:
        """Find inputs whose images are nearest to given pictures.

        Args:
            images: floats in [-1, 1] or uint8, (n, height, width, channels) as `sample` gives.
            labels: their classes, of a conditional model; found with the input where not given.
            search: restarts, steps, learning rate, and the weight of features.
            seed: of the random samples that the search begins from.
            features: whose features are compared beside pixels: "digits", "fashion", "none", or
                "auto", the classifier that knows the model's data.
            stages: how many images of the way are kept.

        Raises:
            JaxgenError: images of another shape or range, labels that are none, or a model that is
                sampled with batch statistics.
        """
        pictures = checked_images(images, self.image_shape)
        if labels is not None:
            labels = self._checked_labels(labels)
            if len(labels) != len(pictures):
                raise JaxgenError(f"{len(pictures)} images need as many labels, got {len(labels)}")
        known = seeing.chosen(features, self.image_shape, lambda: self._real)
        projection = Projection(self._sampler, search or Search(), known.seen if known else None)
        return project(projection, self._weights, pictures, labels, seed, stages)

    def directions(self, n: int = 6) -> directions.Directions:
        """The `n` directions of the input that the generator's first layer stretches most.

        Raises:
            JaxgenError: the first layer is not dense, or noise has no `n` directions.
        """
        size = self._sampler.noise_size
        if not 1 <= n <= size:
            raise JaxgenError(f"n must be from 1 to {size}, the numbers of the noise, got {n}")
        kernel = directions.first_kernel(self._sampler, self._weights)
        return directions.factorised(kernel, n)

    def along(
        self,
        vectors: Any,
        strengths: Any,
        seed: int = 0,
        label: int | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Images of one random input that is moved along directions.

        Args:
            vectors: floats (D, Z) of length 1, `directions(D).vectors` for one.
            strengths: floats (S,), in standard deviations of the noise; what then lies outside of
                what the noise might be is moved back to it.
            seed: of the input.
            label: its class, of a conditional model; the first if not given.
            truncation: as for `sample`, of the input after it is moved.

        Returns:
            float32 (D * S, height, width, channels) in [-1, 1], a row of the grid a direction.

        Raises:
            JaxgenError: as `generate`, or the noise cannot be truncated so.
        """
        size, noise = self._sampler.noise_size, self._sampler.noise
        vectors_DZ = checked_noise(vectors, size, "directions")
        strengths_S = checked_noise(np.atleast_2d(strengths), np.size(strengths), "strengths")[0]
        start_Z = self.noise(1, seed)[0]
        moved_DSZ = directions.along(noise, start_Z, vectors_DZ, strengths_S, truncation)
        noise_NZ = moved_DSZ.reshape(-1, size)
        if label is None and not self._sampler.classes:
            return self.generate(noise_NZ)
        return self.generate(noise_NZ, np.full(len(noise_NZ), label or 0))

    def nearest(
        self,
        n: int = 1000,
        neighbours: int = 5,
        seed: int = 0,
        labels: Any = None,
        features: NeighbourFeatures = "auto",
        truncation: float | None = None,
    ) -> Copying:
        """Samples beside their nearest training images, so that copies show.

        Args:
            n: samples; as for `sample`.
            neighbours: training images of each.
            seed: of the samples.
            labels: as for `sample`.
            features: as for `project`, or "lite0": EfficientNet-Lite0, which knows photographs.
            truncation: as for `sample`.

        Raises:
            JaxgenError: the data are not here, or too few, or the noise cannot be truncated so.
        """
        self._sampler.noise.check_bound(truncation)
        if labels is not None:
            labels = self._checked_labels(labels)
            n = len(labels)
        if n < 1 or neighbours < 1:
            raise JaxgenError(f"n and neighbours must be at least 1, got {n} and {neighbours}")
        size = math.prod(self.image_shape)
        refuse_too_much(5 * 4 * n * size, f"comparing {n} samples", "draw fewer")
        whole = self._whole
        known = seeing.for_neighbours(features, self.image_shape, lambda: self._real)
        images = self._sampler.sample(self._weights, n, seed, labels, truncation)
        if labels is None and self.classes:
            labels = self._sampler.turns(0, n)
        data = self.config.data  # type: ignore[attr-defined]
        return copying(images, labels, whole, data.train, known, neighbours)

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of its images."""
        height, width, channels = self._saved.about["image_shape"]
        return height, width, channels

    @cached_property
    def _whole(self) -> StoredImages:
        """All images of the data set, those too that were not trained on."""
        data = self.config.data  # type: ignore[attr-defined]
        return self._saved.with_data(lambda: open_images(dataclasses.replace(data, train=2**62)))

    @property
    def _real(self) -> StoredImages:
        return self._whole.first(self.config.data.train)  # type: ignore[attr-defined]

    def _refuse_many(self, images: int) -> None:
        size = 3 * 4 * images * self._sampler.noise_size
        refuse_too_much(size, f"the noise of {images} images", "draw fewer")


def _refuse_no_rows(rows: int, columns: int) -> None:
    if rows < 1 or columns < 1:
        raise JaxgenError(f"rows and columns must be at least 1, got {rows} and {columns}")
