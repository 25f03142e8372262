"""What to look at while a GAN trains: samples, their quality, and what people lose days to."""

from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgen.data.images import base as images
from jaxgen.display import plots
from jaxgen.errors import JaxgenError
from jaxgen.gan.step import Gan, GanState, Weights
from jaxgen.metrics.samples import classifier
from jaxgen.metrics.samples import figures as samples
from jaxgen.metrics.samples import report as sample_report
from jaxgen.training.task import Shown

SATURATED, COLLAPSED, FROZEN = 0.02, 0.5, 1e-6
KNOWN_SHAPE = (28, 28, 1)  # of the images that the classifiers know


class Judge:
    """Shows and measures what a GAN makes beside its real images."""

    def __init__(self, gan: Gan, real: dict[str, np.ndarray]):
        """Takes the GAN and its real images, `image` uint8 (N, H, W, C) and `label` (N,).

        Raises:
            JaxgenError: the configuration asks for figures of images that no classifier knows.
        """
        self._gan, self._real = gan, real
        if gan.config.evaluate_every:
            _ = self._classifier  # to be refused before the first step, not after hundreds

    @cached_property
    def _classifier(self) -> classifier.Classifier:
        images_NHWC, labels_N = self._real["image"], self._real["label"]
        if self._gan.image_shape != KNOWN_SHAPE:
            height, width, channels = self._gan.image_shape
            raise JaxgenError(
                f"there is no classifier of images of {height}x{width} pixels and {channels} "
                "channels to measure quality by, only of 28x28 grey digits and Fashion-MNIST; "
                "without --evaluate-every the losses, samples and their diversity are told"
            )
        return classifier.for_data(images.to_model_range(images_NHWC), labels_N)

    def show(self, state: GanState) -> Shown:
        """A grid of samples from the same noise each time: a row for each class, or 8 by 8."""
        classes = self._gan.classes if self._gan.config.conditional else 0
        labels = np.repeat(np.arange(classes), 10) if classes else None
        n = len(labels) if classes else 64
        made = self._gan.sample(self._gan.weights(state), n, self._gan.config.seed, labels)
        real, of = self._real["image"], self._real["label"]
        # Class by class where there are classes, or one that collapsed would hide among the others.
        pairs = [(made[labels == k], real[of == k]) for k in range(classes)] or [(made, real)]
        diversity = min(
            samples.diversity(fake, images.to_model_range(some[:: len(some) // 500 + 1]))
            for fake, some in pairs
        )
        picture = plots.grid(made, columns=10 if classes else 8, padding=0 if classes else 2)
        return Shown(picture, metrics={"diversity": diversity})

    def evaluate(self, state: GanState) -> dict[str, float]:
        """FID, KID, precision, recall and, of a conditional model, label agreement."""
        figures = self.report(self._gan.weights(state))
        names = ("fid", "kid", "precision", "recall", "label_agreement")
        return {name: figures[name]["value"] for name in names if name in figures}

    def report(self, weights: Weights) -> dict[str, Any]:
        """All figures of `jaxgen.metrics.samples.report`, each beside its floor."""
        n = self._gan.config.evaluate_samples
        labels = np.arange(n) % self._gan.classes
        # Not the seed of the pictures: figures are of samples that nobody picked.
        made = self._gan.sample(weights, n, self._gan.config.seed + 1, labels)
        return sample_report.report(
            images.to_model_range(self._real["image"]),
            made,
            self._classifier,
            labels if self._gan.config.conditional else None,
            real_labels=self._real["label"],
        )

    def alarms(self, history: dict[str, np.ndarray]) -> list[str]:
        """What looks wrong since the last log line, in words.

        Args:
            history: `d_loss` and `g_loss`, a value a step, and `diversity` if samples were shown.
        """
        sentences = []
        d_loss, g_loss = history["d_loss"], history["g_loss"]
        # Logits of 0 are a discriminator that knows nothing; 0 itself for the Wasserstein loss.
        blind = float(self._gan.config.loss.discriminator(jnp.zeros(1), jnp.zeros(1))[0])
        if blind > 0 and len(d_loss) > 1 and np.median(d_loss) < SATURATED * blind:
            sentences.append(
                f"the discriminator's loss fell under {SATURATED:.0%} of a coin's: it is saturated "
                "and teaches the generator little; lower the learning rate, or try another --loss "
                "or --augmentation"
            )
        if len(d_loss) > 1 and max(np.ptp(d_loss), np.ptp(g_loss)) < FROZEN:
            sentences.append("the losses do not move at all: nothing is being learnt")
        if "diversity" in history and history["diversity"][-1] < COLLAPSED:
            sentences.append(
                f"samples differ less than {COLLAPSED:.0%} as much as real images do: the "
                "generator may have collapsed to a few of them"
            )
        return sentences
