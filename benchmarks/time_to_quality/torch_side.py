"""PyTorch's side of an attempt: the twins, judged by jaxgen's own evaluation.

N images.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks import torch_captioning, torch_gans
from benchmarks.time_to_quality.attempt import Attempt, Stop
from jaxgen.captioning.config import CaptionConfig
from jaxgen.captioning.quality import CaptionQuality
from jaxgen.data.captions.base import load_captions
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.quality import GanQuality
from jaxgen.gan.sampling import Sampler
from jaxgen.training.image_source import image_source
from jaxgen.training.task import TrainConfig


def train(config: TrainConfig, attempt: Attempt, stop: Stop = "") -> None:
    """Train until the attempt is over, or to the last step.

    Args:
        config: what to train, and when to evaluate it.
        attempt: is told.
        stop: end as soon as the data are loaded, or before the first step: nothing is compiled.
    """
    if isinstance(config, GanConfig):
        _train_gan(config, attempt, stop)
    elif isinstance(config, CaptionConfig):
        _train_captioner(config, attempt, stop)
    else:
        raise TypeError(f"{type(config).__name__} has no PyTorch twin")


class TwinSampler:
    """What `jaxgen.gan.sampling.Sampler` is to jaxgen's measurements, of a twin."""

    def __init__(self, sampler: Sampler) -> None:
        """Take jaxgen's own, whose labels are asked for."""
        self.asked_classes, self.turns = sampler.asked_classes, sampler.turns

    def sample(
        self, twin: torch_gans.Twin, n: int, seed: int, truncation: float | None = None
    ) -> np.ndarray:
        """`n` images, float32 (n, 28, 28, 1) in [-1, 1], with the labels that `turns` gives."""
        if truncation is not None:
            raise ValueError("a twin's noise is not truncated")
        return torch_gans.sample(twin, n, seed, self.turns)


def _train_gan(config: GanConfig, attempt: Attempt, stop: Stop) -> None:
    real, _ = image_source(config.data, config, config.clusters)
    if stop == "loaded":
        return
    twin = torch_gans.twin(config)
    with attempt.clock.stopped():
        quality = GanQuality(
            TwinSampler(config.sampler(AboutImages.of(real))),
            real,
            config.loss,
            config.seed,
            config.evaluate_samples,
        )
    given_N = real.label_N if real.cluster_N is None else real.cluster_N
    steps = torch_gans.train(twin, real.arrays()["image"], given_N)
    _follow(config, attempt, stop, steps, lambda: quality.evaluate(twin))


def _train_captioner(config: CaptionConfig, attempt: Attempt, stop: Stop) -> None:
    data = load_captions(config.data)
    if stop == "loaded":
        return
    width, examples = data.train.features.shape[-1], len(data.train.captions["captions"])
    training = torch_captioning.training(config, len(data.vocabulary), width, examples)
    with attempt.clock.stopped():
        writer = torch_captioning.TwinWriter(config, data.vocabulary)
        quality = CaptionQuality(
            writer, data, config.loss, config.evaluate_images, reproduce=bool(config.data.max_train)
        )
    steps = torch_captioning.train(training, data.train)
    _follow(config, attempt, stop, steps, lambda: quality.evaluate(training.network))


def _follow(
    config: TrainConfig,
    attempt: Attempt,
    stop: Stop,
    steps: Iterable[Any],
    measure: Callable[[], dict[str, float]],
) -> None:
    """Take the steps, and evaluate where it is due."""
    attempt.begins()
    if stop == "compiled":
        return
    for step, _ in enumerate(steps, 1):
        is_due = step % config.evaluate_every == 0 or step == config.steps
        if is_due and attempt.is_over(step, measure):
            return
