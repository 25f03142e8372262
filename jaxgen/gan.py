"""Training and sampling of generative adversarial networks, for any networks and any loss.

N batch, Z noise, H height, W width, C channels, K classes.

One step (SPEC A1): the discriminator is updated on a real batch and on fakes from fresh noise, with
no gradient into the generator; then the generator is updated on *other* fresh noise through the
*updated* discriminator. Batch statistics: both of these generator passes run in training mode and
both update its running averages, as PyTorch's modules do; sampling updates nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen import losses, plots
from jaxgen.configs import Choice
from jaxgen.data import images
from jaxgen.errors import JaxgenError
from jaxgen.losses import AdversarialLoss
from jaxgen.models.networks import Networks
from jaxgen.optimizers import Optimizer
from jaxgen.train import Shown, Source, Task, TrainConfig

Array = jax.Array
PyTree = Any


@dataclass(frozen=True)
class Noise(Choice):
    """How the generator's input is drawn: `(key, shape) -> float32 array`."""

    draw: Callable[[Array, tuple[int, ...]], Array]


uniform = Noise(lambda key, shape: jax.random.uniform(key, shape, minval=-1.0, maxval=1.0))
normal = Noise(jax.random.normal)


@flax.struct.dataclass
class NetworkState:
    """One network: what is learnt, what it keeps beside it, and its optimiser's state."""

    params: PyTree
    stats: PyTree
    """The collection "batch_stats": running averages; {} where there is no batch norm."""
    optimizer: PyTree


@flax.struct.dataclass
class GanState:
    """The state of a GAN, as one pytree."""

    generator: NetworkState
    discriminator: NetworkState


@dataclass(frozen=True, kw_only=True)
class GanConfig(TrainConfig):
    """A GAN experiment: networks, loss, data and the numbers of its training."""

    networks: Networks
    """Generator and discriminator."""
    loss: AdversarialLoss = losses.non_saturating
    """What both minimise."""
    noise: Noise = uniform
    """Distribution of the generator's input: uniform in (-1, 1), or standard normal."""
    noise_size: int = 96
    """Numbers in the generator's input."""
    optimizer: Optimizer = Optimizer(learning_rate=1e-3, b1=0.5, b2=0.999)
    """For both networks."""
    data: images.ImagesConfig = images.ImagesConfig()
    """Real images."""
    sample_statistics: Literal["batch", "running"] = "running"
    """What batch norm uses when sampling: the batch's own statistics, or running averages."""

    def validate(self):
        super().validate()
        if self.noise_size < 1:
            raise JaxgenError(f"--noise-size must be at least 1, got {self.noise_size}")

    def task(self) -> Task:
        real = images.load(self.data)["train"]
        gan = Gan(self, real["image"].shape[1:])
        return Task(
            source=Source.of(real),
            init=gan.init,
            step=gan.step,
            show=gan.show,
            about={"image_shape": list(gan.image_shape), "examples": len(real["image"])},
        )

    def restored(self, state: dict[str, Any], about: dict[str, Any]) -> "TrainedGan":
        """A trained GAN from a checkpoint's nested dicts."""
        return TrainedGan(Gan(self, tuple(about["image_shape"])), state["generator"])


@dataclass(frozen=True)
class Gan:
    """The pure functions of one configuration on images of one shape."""

    config: GanConfig
    image_shape: tuple[int, int, int]

    @cached_property
    def _generator(self):
        return self.config.networks.generator(self.image_shape)

    @cached_property
    def _discriminator(self):
        return self.config.networks.discriminator(self.image_shape)

    @cached_property
    def _optimizer(self) -> optax.GradientTransformation:
        return self.config.optimizer.build()

    def init(self, key: Array, batch: dict[str, Array]) -> GanState:
        """The state before the first step."""
        key_g, key_d = jax.random.split(key)
        noise_NZ = jnp.zeros((2, self.config.noise_size))
        images_NHWC = jnp.zeros((2, *self.image_shape))

        def network(module, *args):
            variables = module.init(*args)
            params = variables["params"]
            stats = variables.get("batch_stats", {})
            return NetworkState(params, stats, self._optimizer.init(params))

        return GanState(
            generator=network(self._generator, key_g, noise_NZ),
            discriminator=network(self._discriminator, key_d, images_NHWC),
        )

    def step(
        self, state: GanState, batch: dict[str, Array], key: Array
    ) -> tuple[GanState, dict[str, Array]]:
        """One update of the discriminator, then one of the generator against the new one."""
        key_d, key_g = jax.random.split(key)
        real_NHWC = images.to_model_range(batch["image"])
        discriminator, stats, d_metrics = self._update_discriminator(state, real_NHWC, key_d)
        state = state.replace(
            discriminator=discriminator, generator=state.generator.replace(stats=stats)
        )
        generator, g_metrics = self._update_generator(state, real_NHWC, key_g)
        return state.replace(generator=generator), d_metrics | g_metrics

    def _update_discriminator(self, state, real_NHWC, key):
        fake_NHWC, stats = self._fake(state.generator.params, state.generator.stats, key, real_NHWC)
        both_NHWC = jnp.concatenate([real_NHWC, fake_NHWC])

        def objective(params):
            # One pass over both: a discriminator never mixes examples.
            logits = self._discriminator.apply({"params": params}, both_NHWC)
            real_logits_N, fake_logits_N = jnp.split(logits, 2)
            loss = self.config.loss.discriminator(real_logits_N, fake_logits_N).mean()
            return loss, {"d_real": real_logits_N.mean(), "d_fake": fake_logits_N.mean()}

        params = state.discriminator.params
        (loss, scores), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        return self._updated(state.discriminator, gradient), stats, {"d_loss": loss, **scores}

    def _update_generator(self, state, real_NHWC, key):
        def score(images_NHWC):
            return self._discriminator.apply({"params": state.discriminator.params}, images_NHWC)

        def objective(params):
            fake_NHWC, stats = self._fake(params, state.generator.stats, key, real_NHWC)
            # The real logits cost nothing unless the loss uses them: XLA drops what is unused.
            loss = self.config.loss.generator(score(real_NHWC), score(fake_NHWC)).mean()
            return loss, stats

        (loss, stats), gradient = jax.value_and_grad(objective, has_aux=True)(
            state.generator.params
        )
        return self._updated(state.generator, gradient).replace(stats=stats), {"g_loss": loss}

    def _fake(self, params, stats, key, real_NHWC):
        """As many fakes as there are real images, and the new running averages."""
        noise_NZ = self.config.noise.draw(key, (real_NHWC.shape[0], self.config.noise_size))
        fake_NHWC, updated = self._generator.apply(
            {"params": params, "batch_stats": stats}, noise_NZ, mutable=["batch_stats"]
        )
        return fake_NHWC, updated.get("batch_stats", {})

    def _updated(self, network: NetworkState, gradient: PyTree) -> NetworkState:
        updates, optimizer = self._optimizer.update(gradient, network.optimizer, network.params)
        params = optax.apply_updates(network.params, updates)
        return network.replace(params=params, optimizer=optimizer)

    @partial(jax.jit, static_argnums=0)
    def images(self, params: PyTree, stats: PyTree, noise_NZ: Array) -> Array:
        """Images (N, H, W, C) in [-1, 1] from noise, with the statistics that the config names."""
        return self._generator.apply(
            {"params": params, "batch_stats": stats},
            noise_NZ,
            train=self.config.sample_statistics == "batch",
            mutable=["batch_stats"],
        )[0]

    def sample(self, params: PyTree, stats: PyTree, n: int, seed: int = 0) -> np.ndarray:
        """`n` images, float32 (n, H, W, C) in [-1, 1]; the first k do not depend on n.

        Whole batches are drawn, of `batch_size`, since batch statistics need one.
        """
        size = self.config.batch_size
        made = []
        for index in range(-(-n // size)):
            key = jax.random.fold_in(jax.random.key(seed), index)
            noise_NZ = self.config.noise.draw(key, (size, self.config.noise_size))
            made.append(np.asarray(self.images(params, stats, noise_NZ)))
        return np.concatenate(made)[:n]

    def show(self, state: GanState) -> Shown:
        """A grid of 64 samples, from the same noise each time."""
        made = self.sample(state.generator.params, state.generator.stats, 64, self.config.seed)
        return Shown(plots.grid(made))


class TrainedGan:
    """A trained generator, ready to sample."""

    def __init__(self, gan: Gan, generator: dict[str, Any]):
        self.config = gan.config
        self._gan = gan
        self._params, self._stats = generator["params"], generator["stats"]

    def sample(self, seed: int = 0, n: int = 64) -> np.ndarray:
        """Draw images.

        Args:
            seed: of the noise; the same seed gives the same images.
            n: how many.

        Returns:
            float32 (n, height, width, channels) in [-1, 1].
        """
        return self._gan.sample(self._params, self._stats, n, seed)
