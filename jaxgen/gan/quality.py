"""What to look at while a GAN trains: samples, their quality, and the failures that cost days.

N images, H height, W width, C channels.
"""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import numpy as np

from jaxgen.data.images.base import to_model_range
from jaxgen.data.images.stored import StoredImages
from jaxgen.display import plots
from jaxgen.errors import JaxgenError
from jaxgen.gan.losses import AdversarialLoss
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.metrics.samples import classifier, report, stacked
from jaxgen.metrics.samples.diversity import spread_ratio
from jaxgen.settings import flag
from jaxgen.settings.memory import refuse_too_much
from jaxgen.training.task import Shown

SATURATED, FROZEN = 0.02, 1e-6
PATIENCE = 20  # log lines within which samples should become as diverse as they ought to be
# What a figure must have reached to be sound, as a multiple of what sets its alarm off: in the
# first hundreds of steps a generator's diversity goes up and down across the alarm's own bound.
SOUND = 1.5
KNOWN_SHAPE = (28, 28, 1)  # of the images that the classifiers know, beside stacked digits
LEAST_REAL = 8  # real images that figures can be taken of, and twice the samples
_SHOWN = 64  # samples without classes
_MOST_CLASSES = 20  # that are shown, and whose diversity is watched
_MOST_REAL = 500  # real images of a class that samples are compared with at each log line
MOST_BYTES = 2**27
"""Of the real images that are held in memory to compare with, once for each of both comparisons."""


class GanQuality:
    """What a generator makes, shown and measured against its real images."""

    def __init__(
        self,
        sampler: Sampler,
        real: StoredImages,
        loss: AdversarialLoss,
        seed: int,
        evaluate_samples: int,
    ) -> None:
        """Take the way the generator is sampled, and what it is compared with.

        Args:
            sampler: of the generator.
            real: its real images, of which as many are read as `MOST_BYTES` holds, wherever they
                are kept, so that figures do not depend on that.
            loss: that it is trained with.
            seed: of the samples that are shown, where no other one is asked for; those that are
                measured have the next one.
            evaluate_samples: how many are measured; of stacked digits at least as many as papers
                measure.
        """
        self._sampler, self._real, self._loss = sampler, real, loss
        self._seed, self._evaluate_samples = seed, evaluate_samples

    def check_measurable(self) -> None:
        """Raise JaxgenError if figures cannot be taken: no classifier, or too few images."""
        _ = self._classifier
        real, made = len(self._measured), self._samples
        if real < LEAST_REAL or made < LEAST_REAL // 2:
            raise JaxgenError(
                f"{real} real images and {flag('evaluate_samples')} {made} are too few to measure: "
                f"give at least {LEAST_REAL} and {LEAST_REAL // 2}, or no {flag('evaluate_every')}"
            )

    @cached_property
    def _measured(self) -> StoredImages:
        """The real images that are measured, in memory: all, or as many as fit, evenly spaced."""
        most = max(LEAST_REAL, MOST_BYTES // self._real.bytes_of_one)
        if len(self._real) <= most:
            return self._real.in_memory()
        place_N = np.linspace(0, len(self._real) - 1, most).astype(int)
        images = {"image": self._real.gather(place_N), "label": self._real.label_N[place_N]}
        return StoredImages.of(images)

    @cached_property
    def _classifier(self) -> classifier.Classifier | stacked.StackedClassifier:
        n = len(self._measured)
        place_N = np.linspace(0, n - 1, min(n, classifier.BATCH)).astype(int)
        images_NHWC = to_model_range(self._measured.gather(place_N))
        labels_N = self._measured.label_N[place_N]
        if self._real.shape == KNOWN_SHAPE:
            return classifier.for_data(images_NHWC, labels_N)
        if self._real.shape == stacked.SHAPE and (known := stacked.for_data(images_NHWC, labels_N)):
            return known
        height, width, channels = self._real.shape
        raise JaxgenError(
            f"there is no classifier of these images of {height}x{width} pixels and {channels} "
            "channels to measure quality by, only of 28x28 grey digits and Fashion-MNIST and of "
            f"stacked digits; without {flag('evaluate_every')} losses, samples and diversity are "
            "still reported"
        )

    @property
    def _samples(self) -> int:
        """How many samples are measured: as many as asked for, or as papers measure."""
        return max(self._evaluate_samples, self._classifier.samples)

    def show(self, weights: Weights, seed: int | None = None) -> Shown:
        """A grid of samples from the same noise each time: a row for each class, or 8 by 8."""
        classes = self._sampler.asked_classes
        return Shown(
            plots.grid(
                self._shown_samples(weights, self._seed if seed is None else seed),
                columns=10 if classes else 8,
                padding=0 if classes else 2,
            )
        )

    def watch(self, weights: Weights, seed: int | None = None) -> Callable[[], dict[str, float]]:
        """Draw the samples that `show` shows; what is returned waits for them and compares them.

        It gives their `diversity` as a share of the real images', and nothing where no two real
        images differ.
        """
        seed = self._seed if seed is None else seed
        samples = self._sampler.started(weights, seed, self._shown_labels)
        return lambda: self._diversity(samples())

    def _diversity(self, made: np.ndarray) -> dict[str, float]:
        labels, classes = self._shown_labels, self._sampler.asked_classes
        ratios = [
            spread_ratio(to_model_range(some), made[labels == k] if classes else made)
            for k, some in zip(self._shown_classes or [0], self._real_of_each, strict=True)
            if len(some) > 1 and (some != some[0]).any()  # else there is nothing to compare with
        ]
        return {"diversity": min(ratios)} if ratios else {}

    @cached_property
    def _real_of_each(self) -> list[np.ndarray]:
        """Real images of each class shown, or of all where there are none, each (N, H, W, C)."""
        # Class by class where there are classes, or one that collapsed would hide among the others.
        places = [np.flatnonzero(self._real.label_N == k) for k in self._shown_classes] or [
            np.arange(len(self._real))
        ]
        most = MOST_BYTES // (self._real.bytes_of_one * len(places))
        most = max(LEAST_REAL, min(_MOST_REAL, most))
        return [self._real.gather(some[:: len(some) // most + 1]) for some in places]

    @cached_property
    def _shown_labels(self) -> np.ndarray:
        if self._shown_classes:
            return np.repeat(self._shown_classes, 10)
        return self._sampler.turns(0, _SHOWN)

    @cached_property
    def _shown_classes(self) -> list[int]:
        """The classes that are shown of a conditional model: all, or some of many."""
        classes = self._sampler.asked_classes
        return np.linspace(0, classes - 1, min(classes, _MOST_CLASSES)).astype(int).tolist()

    def _shown_samples(self, weights: Weights, seed: int) -> np.ndarray:
        labels = self._shown_labels
        return self._sampler.sample(weights, len(labels), seed, labels)

    def evaluate(self, weights: Weights, seed: int | None = None) -> dict[str, float]:
        """The figures that are declared to be measured in training: FID, KID and their kin."""
        made, asked = self._made(weights, self._seed if seed is None else seed)
        if not self._classifier.compares_in_training:
            return report.while_training(None, made, self._classifier, asked)
        real_labels = self._measured.label_N
        return report.while_training(
            self._real_images(), made, self._classifier, asked, real_labels=real_labels
        )

    def report(self, weights: Weights, truncation: float | None = None) -> dict[str, Any]:
        """All figures of `jaxgen.metrics.samples.report`, each beside its floor.

        They are of samples of truncated noise where `truncation` is given, which is among them.
        """
        made, asked = self._made(weights, self._seed, truncation)
        real_labels = self._measured.label_N
        figures = report.report(
            self._real_images(), made, self._classifier, asked, real_labels=real_labels
        )
        return figures if truncation is None else figures | {"truncation": truncation}

    def _real_images(self) -> np.ndarray:
        return to_model_range(self._measured.arrays()["image"])

    def _made(
        self, weights: Weights, seed: int, truncation: float | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Samples, and the labels asked for."""
        n = self._samples
        refuse_too_much(
            3 * 4 * n * self._real.bytes_of_one,
            f"measuring {n} samples",
            f"give fewer {flag('evaluate_samples')}",
        )
        # Not the seed of the pictures: figures are of samples that nobody picked.
        made = self._sampler.sample(weights, n, seed + 1, truncation=truncation)
        return made, self._sampler.turns(0, n) if self._sampler.asked_classes else None

    @cached_property
    def _blind_loss(self) -> float:
        """Of a discriminator that knows nothing, whose logits are 0, where that is positive.

        The Wasserstein loss is 0 then, and no loss is said to be small beside it.
        """
        loss = jax.jit(self._loss.discriminator)(np.zeros(1, np.float32), np.zeros(1, np.float32))
        return float(loss[0]) if loss[0] > 0 else -math.inf

    def alarms(self, history: dict[str, np.ndarray]) -> list[str]:
        """What looks wrong since the last log line, in words.

        Args:
            history: `d_loss` and `g_loss`, a value a step since the last log line, and all values
                so far of figures with an alarm of their own, `diversity` for one.
        """
        sentences = []
        d_loss, g_loss = history["d_loss"], history["g_loss"]
        if len(d_loss) > 1 and np.median(d_loss) < SATURATED * self._blind_loss:
            sentences.append(
                f"the discriminator's loss fell under {SATURATED:.0%} of a coin's: it is saturated "
                f"and teaches the generator little; lower the learning rate, or try another "
                f"{flag('loss')} or {flag('augmentation')}"
            )
        if len(d_loss) > 1 and max(np.ptp(d_loss), np.ptp(g_loss)) < FROZEN:
            sentences.append("the losses do not move at all: nothing is being learnt")
        # A generator that has learnt nothing yet has not collapsed: a figure must have been sound
        # before, or have had its time.
        newest = {
            name: float(values[-1])
            for name, values in history.items()
            if len(values) >= PATIENCE or not report.alarms({name: float(np.max(values)) / SOUND})
        }
        return sentences + report.alarms(newest)
