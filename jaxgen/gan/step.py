"""Training and sampling of generative adversarial networks, for any networks and any loss.

N batch, Z noise, H height, W width, C channels, K classes.

One step (SPEC A1): the discriminator is updated on a real batch and on fakes from fresh noise, with
no gradient into the generator; then the generator is updated on *other* fresh noise through the
*updated* discriminator. Where there are classes, a batch's labels go to real and fake alike. Batch
statistics: both of these generator passes run in training mode and both update its running
averages, as PyTorch's modules do; sampling updates nothing. The discriminator's own statistics
(spectral norm) move on in its update alone.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.data.images import base as images
from jaxgen.errors import JaxgenError
from jaxgen.gan import augmentation as augment
from jaxgen.gan import losses
from jaxgen.gan.losses import AdversarialLoss
from jaxgen.gan.networks.base import Networks
from jaxgen.gan.noise import Noise, uniform
from jaxgen.training.optimizers import Optimizer
from jaxgen.training.task import Source, Task, TrainConfig

Array = jax.Array
PyTree = Any


@flax.struct.dataclass
class NetworkState:
    """One network: what is learnt, what it keeps beside it, and its optimiser's state."""

    params: PyTree
    stats: PyTree
    """The collection "batch_stats": running averages; {} where there are none."""
    optimizer: PyTree


class Weights(NamedTuple):
    """What a generator needs to make images."""

    params: PyTree
    stats: PyTree


@flax.struct.dataclass
class GanState:
    """The state of a GAN, as one pytree."""

    generator: NetworkState
    discriminator: NetworkState
    average: dict[str, PyTree] | None
    """Moving averages of the generator's `params` and `stats`, and the `count` of steps in them."""


@dataclass(frozen=True, kw_only=True)
class GanConfig(TrainConfig):
    """A GAN experiment: networks, loss, data and the numbers of its training."""

    networks: Networks
    """Generator and discriminator."""
    loss: AdversarialLoss = losses.non_saturating
    """What both minimise."""
    penalty_weight: float = 1.0
    """Factor on the penalty of the losses that have one (wasserstein_gp, the R1 and R2 ones)."""
    conditional: bool = False
    """Give the class label to both networks."""
    noise: Noise = uniform
    """Distribution of the generator's input: uniform in (-1, 1), or standard normal."""
    noise_size: int = 96
    """Numbers in the generator's input."""
    optimizer: Optimizer = Optimizer(learning_rate=1e-3, b1=0.5, b2=0.999)
    """For both networks."""
    augmentation: augment.Augmentation = augment.none
    """What the discriminator sees of real and fake images alike (differentiable augmentation)."""
    average_decay: float = 0.0
    """Decay of a moving average of the generator, which then makes the samples; 0 for none."""
    data: images.ImagesConfig = images.ImagesConfig()
    """Real images."""
    sample_statistics: Literal["batch", "running"] = "running"
    """What batch norm uses when sampling: the batch's own statistics, or running averages."""
    evaluate_samples: int = 5000
    """Samples to measure the quality on, where `evaluate_every` or jaxgen.evaluate asks for it."""

    def validate(self):
        super().validate()
        self.optimizer.validate()
        if self.noise_size < 1:
            raise JaxgenError(f"--noise-size must be at least 1, got {self.noise_size}")
        if not 0 <= self.average_decay < 1:
            raise JaxgenError(f"--average-decay must be in [0, 1), got {self.average_decay}")
        if self.penalty_weight < 0:
            raise JaxgenError(f"--penalty-weight must be at least 0, got {self.penalty_weight}")
        if self.evaluate_samples < 2:
            raise JaxgenError(f"--evaluate-samples must be at least 2, got {self.evaluate_samples}")

    def task(self) -> Task:
        from jaxgen.gan import quality as gan_quality

        real = images.load(self.data)["train"]
        gan = Gan(
            self,
            real["image"].shape[1:],
            int(real["label"].max()) + 1,
            len(real["image"]) // self.batch_size,
        )
        judge = gan_quality.Judge(gan, real)
        return Task(
            source=Source.of(real),
            init=gan.init,
            step=gan.step,
            show=judge.show,
            evaluate=judge.evaluate,
            alarms=judge.alarms,
            about={
                "image_shape": list(gan.image_shape),
                "classes": gan.classes,
                "examples": len(real["image"]),
            },
        )

    def restored(self, state: dict[str, Any], about: dict[str, Any]) -> Any:
        """A `TrainedGan` from a checkpoint's nested dicts."""
        from jaxgen.gan.trained import TrainedGan

        kept = state["average"] or state["generator"]
        gan = Gan(self, tuple(about["image_shape"]), about["classes"])
        return TrainedGan(gan, Weights(kept["params"], kept["stats"]))


@dataclass(frozen=True)
class Gan:
    """The pure functions of one configuration on images of one shape."""

    config: GanConfig
    image_shape: tuple[int, int, int]
    classes: int = 10
    steps_per_epoch: int = 1
    """Steps in a pass over the images, where the optimiser's epoch_decay counts them."""

    @cached_property
    def _generator(self):
        return self.config.networks.generator(self.image_shape)

    @cached_property
    def _discriminator(self):
        return self.config.networks.discriminator(self.image_shape)

    @cached_property
    def _optimizer(self) -> optax.GradientTransformation:
        return self.config.optimizer.build(self.config.steps, self.steps_per_epoch)

    def init(self, key: Array, batch: dict[str, Array]) -> GanState:
        """The state before the first step."""
        key_g, key_d = jax.random.split(key)
        noise_NZ = jnp.zeros((2, self.config.noise_size))
        images_NHWC = jnp.zeros((2, *self.image_shape))
        label_NK = self._one_hot(jnp.zeros(2, jnp.int32))

        def network(module, *args):
            variables = module.init(*args, label_NK, train=True)
            params = variables["params"]
            stats = variables.get("batch_stats", {})
            return NetworkState(params, stats, self._optimizer.init(params))

        generator = network(self._generator, key_g, noise_NZ)
        average = None
        if self.config.average_decay:
            average = {"params": generator.params, "stats": generator.stats, "count": jnp.int32(0)}
        return GanState(
            generator=generator,
            discriminator=network(self._discriminator, key_d, images_NHWC),
            average=average,
        )

    def step(
        self, state: GanState, batch: dict[str, Array], key: Array
    ) -> tuple[GanState, dict[str, Array]]:
        """One update of the discriminator, then one of the generator against the new one."""
        key_d, key_g = jax.random.split(key)
        real_NHWC = images.to_model_range(batch["image"])
        label_NK = self._one_hot(batch["label"])
        state, d_metrics = self._update_discriminator(state, real_NHWC, label_NK, key_d)
        state, g_metrics = self._update_generator(state, real_NHWC, label_NK, key_g)
        return self._update_average(state), d_metrics | g_metrics

    def _update_discriminator(self, state, real_NHWC, label_NK, key):
        key_noise, key_view, key_penalty = self._keys(key)
        network = state.discriminator
        fake_NHWC, stats = self._fake(state.generator, key_noise, real_NHWC, label_NK)
        real_NHWC, fake_NHWC = (
            self.config.augmentation.apply(images_NHWC, jax.random.fold_in(key_view, index))
            for index, images_NHWC in enumerate((real_NHWC, fake_NHWC))
        )
        both_NHWC = jnp.concatenate([real_NHWC, fake_NHWC])
        both_NK = None if label_NK is None else jnp.concatenate([label_NK, label_NK])

        def objective(params):
            # One pass over both: a discriminator never mixes examples.
            logits, updated = self._discriminator.apply(
                {"params": params, "batch_stats": network.stats},
                both_NHWC,
                both_NK,
                train=True,
                mutable=["batch_stats"],
            )
            real_logits_N, fake_logits_N = jnp.split(logits, 2)
            loss_N = self.config.loss.discriminator(real_logits_N, fake_logits_N)
            if self.config.loss.penalty is not None:

                def critic(images_NHWC):
                    return self._score(network.replace(params=params), images_NHWC, label_NK)

                penalty_N = self.config.loss.penalty(critic, real_NHWC, fake_NHWC, key_penalty)
                loss_N += self.config.penalty_weight * penalty_N
            scores = {"d_real": real_logits_N.mean(), "d_fake": fake_logits_N.mean()}
            return loss_N.mean(), (scores, updated.get("batch_stats", {}))

        (loss, (scores, d_stats)), gradient = jax.value_and_grad(objective, has_aux=True)(
            network.params
        )
        state = state.replace(
            discriminator=self._updated(network, gradient).replace(stats=d_stats),
            generator=state.generator.replace(stats=stats),
        )
        return state, {"d_loss": loss, **scores}

    def _update_generator(self, state, real_NHWC, label_NK, key):
        key_noise, key_view, _ = self._keys(key)

        def score(images_NHWC, index):
            seen_NHWC = self.config.augmentation.apply(
                images_NHWC, jax.random.fold_in(key_view, index)
            )
            return self._score(state.discriminator, seen_NHWC, label_NK)

        def objective(params):
            generator = state.generator.replace(params=params)
            fake_NHWC, stats = self._fake(generator, key_noise, real_NHWC, label_NK)
            # The real logits cost nothing unless the loss uses them: XLA drops what is unused.
            loss_N = self.config.loss.generator(score(real_NHWC, 0), score(fake_NHWC, 1))
            return loss_N.mean(), stats

        (loss, stats), gradient = jax.value_and_grad(objective, has_aux=True)(
            state.generator.params
        )
        generator = self._updated(state.generator, gradient).replace(stats=stats)
        return state.replace(generator=generator), {"g_loss": loss}

    def _update_average(self, state: GanState) -> GanState:
        """Move the average on, faster in the first steps, which are far from where it will be."""
        if state.average is None:
            return state
        count = state.average["count"] + 1
        decay = jnp.minimum(self.config.average_decay, count / (count + 10.0))
        newest = {"params": state.generator.params, "stats": state.generator.stats}
        kept = {name: state.average[name] for name in newest}
        average = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, kept, newest)
        return state.replace(average=average | {"count": count})

    def _keys(self, key):
        """Keys for noise, augmentation and penalty; the noise does not depend on the others."""
        return key, jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)

    def _one_hot(self, label_N: Array) -> Array | None:
        return jax.nn.one_hot(label_N, self.classes) if self.config.conditional else None

    def _score(self, network: NetworkState, images_NHWC, label_NK):
        variables = {"params": network.params, "batch_stats": network.stats}
        return self._discriminator.apply(variables, images_NHWC, label_NK)

    def _fake(self, generator: NetworkState, key, real_NHWC, label_NK):
        """As many fakes as there are real images, and the new running averages."""
        noise_NZ = self.config.noise.draw(key, (real_NHWC.shape[0], self.config.noise_size))
        fake_NHWC, updated = self._generator.apply(
            {"params": generator.params, "batch_stats": generator.stats},
            noise_NZ,
            label_NK,
            train=True,
            mutable=["batch_stats"],
        )
        return fake_NHWC, updated.get("batch_stats", {})

    def _updated(self, network: NetworkState, gradient: PyTree) -> NetworkState:
        updates, optimizer = self._optimizer.update(gradient, network.optimizer, network.params)
        params = optax.apply_updates(network.params, updates)
        return network.replace(params=params, optimizer=optimizer)

    def weights(self, state: GanState) -> Weights:
        """What samples are made with: the moving average where there is one."""
        if state.average is not None:
            return Weights(state.average["params"], state.average["stats"])
        return Weights(state.generator.params, state.generator.stats)

    @partial(jax.jit, static_argnums=0)
    def images(self, weights: Weights, noise_NZ: Array, label_N: Array) -> Array:
        """Images (N, H, W, C) in [-1, 1] from noise, with the statistics that the config names."""
        return self._generator.apply(
            {"params": weights.params, "batch_stats": weights.stats},
            noise_NZ,
            self._one_hot(label_N),
            train=self.config.sample_statistics == "batch",
            mutable=["batch_stats"],
        )[0]

    def draw_noise(self, n: int, seed: int) -> np.ndarray:
        """Noise (n, Z) for whole batches; the first rows do not depend on `n`."""
        size = self.config.batch_size
        keys = [jax.random.fold_in(jax.random.key(seed), i) for i in range(-(-n // size))]
        shape = (size, self.config.noise_size)
        return np.concatenate([np.asarray(self.config.noise.draw(key, shape)) for key in keys])

    def sample(
        self, weights: Weights, n: int, seed: int = 0, labels: np.ndarray | None = None
    ) -> np.ndarray:
        """`n` images, float32 (n, H, W, C) in [-1, 1]; without labels the classes take turns."""
        labels = np.arange(n) % self.classes if labels is None else labels
        return self.sample_from(weights, self.draw_noise(n, seed)[:n], labels, seed)

    def sample_from(
        self, weights: Weights, noise_NZ: np.ndarray, labels: np.ndarray, seed: int = 0
    ) -> np.ndarray:
        """An image for each row of noise: float32 (N, H, W, C) in [-1, 1].

        Whole batches of `batch_size` are drawn, filled up with other noise and classes, since batch
        statistics need a batch.
        """
        n, size = len(noise_NZ), self.config.batch_size
        filling = self.draw_noise(n + size, seed)[n:]
        noise_NZ = np.concatenate([noise_NZ, filling])
        labels = np.concatenate([labels, np.arange(n, n + len(filling)) % self.classes])
        batches = [slice(start, start + size) for start in range(0, n, size)]
        made = [np.asarray(self.images(weights, noise_NZ[b], labels[b])) for b in batches]
        return np.concatenate(made)[:n]
