"""What a GAN experiment sets, and what it builds from that: a task to train, a trained model."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import optax

from jaxgen.data.images.base import Images, open_images
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.data.images.stored import StoredImages
from jaxgen.display.report.told import FigureWords
from jaxgen.errors import JaxgenError
from jaxgen.gan import augmentation as augmentations
from jaxgen.gan import losses
from jaxgen.gan.augmentation import Augmentation
from jaxgen.gan.course import Course, between
from jaxgen.gan.losses import AdversarialLoss
from jaxgen.gan.networks.base import Networks
from jaxgen.gan.noise import Noise, uniform
from jaxgen.gan.quality import GanQuality
from jaxgen.gan.recipe import Augmenting, BurnIn, Penalty, Updates
from jaxgen.gan.sampling import Sampler, Statistics
from jaxgen.gan.step import Gan, weights
from jaxgen.gan.trained import TrainedGan
from jaxgen.metrics.samples.base import SampleMetric
from jaxgen.nn.precision import in_precision
from jaxgen.settings import flag, named, setting
from jaxgen.training import configs
from jaxgen.training.image_source import image_source
from jaxgen.training.optimizers import Optimizer, adam
from jaxgen.training.state_size import fitting
from jaxgen.training.task import Saved, Task, TrainConfig
from jaxgen.training.told_run import words_of


@dataclass(frozen=True)
class AboutImages:
    """What the networks have to know of the images; kept with the run."""

    image_shape: tuple[int, int, int] = setting(least=1)
    classes: int = setting(least=1)
    examples: int = setting(least=1)
    cluster_sizes: tuple[int, ...] = setting((), least=1, before=())
    """Images of each cluster, where clusters stand for labels."""

    @classmethod
    def of(cls, real: StoredImages) -> "AboutImages":
        """What is to be known of a set that is trained on."""
        sizes = () if real.cluster_N is None else tuple(np.bincount(real.cluster_N).tolist())
        return cls(
            image_shape=real.shape,
            classes=real.classes,
            examples=len(real),
            cluster_sizes=sizes,
        )

    def given_classes(self, conditional: bool) -> int:
        """How many numbers the labels have that networks are given; 0 where they are given none."""
        return len(self.cluster_sizes) or (self.classes if conditional else 0)


@named("gan", "jaxgen.gan:GanConfig")
@dataclass(frozen=True, kw_only=True)
class GanConfig(TrainConfig):
    """A GAN experiment: networks, loss, data and the numbers of its training."""

    retired: ClassVar[tuple[str, ...]] = ("sample_statistics",)
    """Fields of older runs that are ignored: 0.1.0 sampled DCGANs with the statistics of
    whatever was drawn together."""

    networks: Networks
    """Generator and discriminator."""
    loss: AdversarialLoss = losses.non_saturating
    """What both minimise."""
    penalty_weight: float = setting(1.0, least=0)
    """Factor on the penalty of the losses that have one (wasserstein_gp, the R1 and R2 ones)."""
    penalty: Penalty = setting(Penalty(), before=Penalty())
    """When it is taken, and of what."""
    conditional: bool = False
    """Give the class label to both networks."""
    clusters: int = setting(0, least=0, most=1000, before=0)
    """Groups of like images, found without labels by k-means of their pixels, whose number is given
    to both networks where a label would be, so that like is compared with like; samples fall on
    them as often as images do (Sage et al. 2018, https://arxiv.org/abs/1712.04407). 0 for none."""
    noise: Noise = uniform
    """Distribution of the generator's input: uniform in (-1, 1), or standard normal."""
    noise_size: int = setting(96, least=1, most=2**16)
    """Numbers in the generator's input."""
    optimizer: Optimizer = Optimizer(learning_rate=1e-3, b1=0.5, b2=0.999)
    """For both networks."""
    packing: int = setting(1, least=1, most=64, before=1)
    """Images of one origin, real or fake, that the discriminator judges together, side by side in
    their channels (PacGAN); it divides the batch, or the parts that `updates` makes of it."""
    updates: Updates = setting(Updates(), before=Updates())
    """How many updates of each network a step has."""
    augmentation: Augmentation = augmentations.none
    """What the discriminator sees of real and fake images alike (differentiable augmentation)."""
    augmenting: Augmenting = setting(Augmenting(), before=Augmenting())
    """How much of it."""
    average_decay: float = setting(0.0, least=0, below=1)
    """Decay of a moving average of the generator, which then makes the samples; 0 for none."""
    burn_in: BurnIn = setting(BurnIn(), before=BurnIn())
    """Numbers that change over the first steps."""
    data: Images = Mnist5k()
    """Real images."""
    sampling_statistics: Statistics = setting("running", before="running", may_change=True)
    """What batch norm uses when sampling: running averages, so that a sample depends on its own
    noise and label alone, or, as the course's notebook does, the statistics of the samples that are
    drawn together; then ask for mixed classes only."""
    evaluate_samples: int = setting(5000, least=2, most=2**20, may_change=True)
    """Samples to measure the quality on, where `evaluate_every` or `jaxgen evaluate` asks for
    it; stacked digits are measured on at least 26,000, as papers do."""

    def check_together(self) -> None:
        """Refuses a batch that cannot be divided, and a schedule of what is not there."""
        super().check_together()
        if self.conditional and self.clusters:
            raise JaxgenError(
                f"{flag('clusters')} stand for the labels that {flag('conditional')} gives to the "
                "networks: give one of them"
            )
        parts = self.updates.discriminator * self.updates.parts
        in_parts = f"{parts} parts, {flag('updates.discriminator')} times {flag('updates.parts')}"
        if self.batch_size % parts:
            raise JaxgenError(
                f"{flag('batch_size')} {self.batch_size} cannot be divided into {in_parts}"
            )
        if self.batch_size % (parts * self.packing):
            raise JaxgenError(
                f"{flag('packing')} {self.packing} does not divide {flag('batch_size')} "
                f"{self.batch_size}{f' in {in_parts}' if parts > 1 else ''}: give a batch of a "
                f"multiple of {parts * self.packing}"
            )
        if self.augmenting.target and self.burn_in.strength is not None:
            raise JaxgenError(
                f"{flag('augmenting.target')} and {flag('burn_in.strength')} both move the "
                "strength of the augmentation: give one of them"
            )
        if self.burn_in.b2 is not None and self.optimizer.rule is not adam:
            raise JaxgenError(f"{flag('burn_in.b2')} is of {flag('optimizer.rule')} adam only")

    def task(self) -> Task:
        real, source = image_source(self.data, self, self.clusters)
        about = AboutImages.of(real)
        told = configs.to_json(about, AboutImages)
        if not about.cluster_sizes:
            del told["cluster_sizes"]  # runs from before there were clusters go on
        gan = self.gan(about)
        quality = self._quality(about, real)
        if self.evaluate_every:
            quality.check_measurable()  # to be refused before the first step, not after hundreds

        def seeded(seed: int) -> Task:
            return Task(
                source=source,
                init=fitting(
                    gan.init,
                    f"give {flag('networks')} smaller widths, or {flag('shard_parameters')}",
                    shard=self.shard_parameters,
                ),
                step=gan.step,
                show=lambda state: quality.show(weights(state), seed),
                watch=lambda state: quality.watch(weights(state), seed),
                evaluate=lambda state: quality.evaluate(weights(state), seed),
                alarms=quality.alarms,
                about=told,
                reseeded=seeded,
            )

        return seeded(self.seed)

    def restored(self, saved: Saved) -> TrainedGan:
        about = configs.from_json(saved.about, AboutImages, "what the run's data were")
        return TrainedGan(
            self,
            self.sampler(about),
            saved,
            lambda: self._quality(about, open_images(self.data)),
        )

    def figures(self) -> dict[str, FigureWords]:
        return {metric.key: words_of(metric) for metric in SampleMetric.ordered()}

    def tied_to_steps(self) -> str:
        return self.optimizer.tied_to_steps()

    def gan(self, about: AboutImages) -> Gan:
        """The pure functions of its training, for images like these."""
        height, width, channels = about.image_shape
        return Gan(
            generator=self._generator(about),
            discriminator=in_precision(
                self.networks.discriminator((height, width, self.packing * channels)),
                self.precision,
            ),
            image_shape=about.image_shape,
            loss=self.loss,
            noise=self.noise,
            noise_size=self.noise_size,
            optimizer=self._optimizer(self.optimizer, about, 1),
            discriminator_optimizer=self._discriminator_optimizer(about),
            augmentation=self.augmentation,
            course=Course(
                self.penalty_weight,
                self.average_decay,
                self.burn_in,
                self.penalty,
                self.augmenting,
            ),
            updates=self.updates,
            classes=about.given_classes(self.conditional),
            packing=self.packing,
            judges_batches=self.networks.judges_batches,
        )

    def sampler(self, about: AboutImages) -> Sampler:
        """How its generator is sampled, for images like these."""
        return Sampler(
            generator=self._generator(about),
            noise=self.noise,
            noise_size=self.noise_size,
            classes=about.given_classes(self.conditional),
            cluster_sizes=about.cluster_sizes,
            block=self.batch_size,
            statistics=self.sampling_statistics,
        )

    def _discriminator_optimizer(self, about: AboutImages) -> optax.GradientTransformation | None:
        times, rounds = self.updates.discriminator_rate, self.updates.discriminator
        if times == rounds == 1:
            return None
        numbers = replace(self.optimizer, learning_rate=times * self.optimizer.learning_rate)
        return self._optimizer(numbers, about, rounds)

    def _optimizer(
        self, numbers: Optimizer, about: AboutImages, updates: int
    ) -> optax.GradientTransformation:
        burn_in, first = self.burn_in, self.optimizer
        changes: dict[str, Any] = {}
        if burn_in.steps and burn_in.learning_rate is not None:
            last = burn_in.learning_rate / first.learning_rate
            changes["factor"] = lambda step: between(1.0, last, step, burn_in.steps)
        if burn_in.steps and burn_in.b2 is not None:
            changes["b2"] = lambda step: between(first.b2, burn_in.b2, step, burn_in.steps)
        steps_per_epoch = about.examples // self.batch_size
        return numbers.build(self.steps, steps_per_epoch, updates=updates, **changes)

    def _generator(self, about: AboutImages) -> Any:
        return in_precision(self.networks.generator(about.image_shape), self.precision)

    def _quality(self, about: AboutImages, real: StoredImages) -> GanQuality:
        return GanQuality(self.sampler(about), real, self.loss, self.seed, self.evaluate_samples)
