"""One training step of generative adversarial networks, for any networks and any loss.

N batch, Z noise, H height, W width, C channels, K classes; M packs of P images, N = M P, with
D = P C channels and labels of L = P K numbers: without packing M, D and L are N, C and K.

The discriminator is updated on a real batch and on fakes from fresh noise, with no gradient into
the generator; then the generator is updated on *other* fresh noise through the *updated*
discriminator (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, algorithm 1, with one step
of each). Where there are classes, a batch's labels go to real and fake alike. Batch statistics:
both of these generator passes run in training mode and both update its running averages, as
PyTorch's modules do. The discriminator's own statistics (spectral norm) advance in its update only.

With packing (PacGAN: Lin et al. 2018, https://arxiv.org/abs/1712.04086, section 2) the
discriminator judges P images of one origin together, all real or all fake. Each image is augmented
by itself; loss and penalty are those of a pack.
"""

from dataclasses import dataclass, replace
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax

from jaxgen.data.images.base import to_model_range
from jaxgen.gan.augmentation import Augmentation
from jaxgen.gan.losses import AdversarialLoss
from jaxgen.gan.noise import Noise
from jaxgen.gan.sampling import Weights
from jaxgen.nn import batch_axis

Array = jax.Array
PyTree = Any
Metrics = dict[str, Array]


@flax.struct.dataclass
class NetworkState:
    """One network: what is learnt, what it keeps beside it, and its optimiser's state."""

    params: PyTree
    stats: PyTree
    """The collection "batch_stats": running averages; {} where there are none."""
    optimizer: PyTree


@flax.struct.dataclass
class GanState:
    """The state of a GAN, as one pytree."""

    generator: NetworkState
    discriminator: NetworkState
    average: dict[str, PyTree] | None
    """Moving averages of the generator's `params` and `stats`, and the `count` of steps in them."""


def weights(state: GanState) -> Weights:
    """What samples are made with: the moving average where there is one."""
    if state.average is not None:
        return Weights(state.average["params"], state.average["stats"])
    return Weights(state.generator.params, state.generator.stats)


@dataclass(frozen=True)
class Gan:
    """A pair of networks and all that their training step depends on."""

    generator: nn.Module
    """As `jaxgen.gan.networks.base.Networks.generator` describes it."""
    discriminator: nn.Module
    """As `jaxgen.gan.networks.base.Networks.discriminator` describes it."""
    image_shape: tuple[int, int, int]
    """H, W, C."""
    loss: AdversarialLoss
    """What both minimise."""
    noise: Noise
    """The distribution of the generator's input."""
    noise_size: int
    """Z."""
    optimizer: optax.GradientTransformation
    """For both networks."""
    augmentation: Augmentation
    """What the discriminator sees of real and fake images alike."""
    penalty_weight: float = 1.0
    """Factor on the loss's penalty."""
    average_decay: float = 0.0
    """Decay of the generator's moving average; 0 for none."""
    classes: int = 0
    """K, given to both networks as one-hot vectors; 0 for networks that see no labels."""
    packing: int = 1
    """P images that the discriminator judges together; it divides N."""
    judges_batches: bool = False
    """Whether the discriminator normalises by the statistics of what it is given: real and fake
    images are then given to it one after the other."""

    def init(self, key: Array, batch: dict[str, Array]) -> GanState:
        """The state before the first step."""
        key_g, key_d = jax.random.split(key)
        noise_NZ = jnp.zeros((2, self.noise_size), jnp.float32)
        images_NHWC = jnp.zeros((2 * self.packing, *self.image_shape), jnp.float32)
        label_NK = self._one_hot(jnp.zeros(2 * self.packing, jnp.int32))

        def network(module: nn.Module, key: Array, x: Array, label: Array | None) -> NetworkState:
            variables = module.init(key, x, label, train=True)
            params = variables["params"]
            stats = variables.get("batch_stats", {})
            return NetworkState(params, stats, self.optimizer.init(params))

        generator = network(
            self.generator, key_g, noise_NZ, None if label_NK is None else label_NK[:2]
        )
        average = None
        if self.average_decay:
            average = {"params": generator.params, "stats": generator.stats, "count": jnp.int32(0)}
        return GanState(
            generator=generator,
            discriminator=network(
                self.discriminator, key_d, self._packs(images_NHWC), self._packs(label_NK)
            ),
            average=average,
        )

    def step(
        self, state: GanState, batch: dict[str, Array], key: Array
    ) -> tuple[GanState, Metrics]:
        """One update of the discriminator, then one of the generator against the new one."""
        key_d, key_g = jax.random.split(key)
        real_NHWC = to_model_range(batch["image"])
        label_NK = self._one_hot(batch["label"])
        state, d_metrics = self._update_discriminator(state, real_NHWC, label_NK, key_d)
        state, g_metrics = self._update_generator(state, real_NHWC, label_NK, key_g)
        return self._update_average(state), d_metrics | g_metrics

    def _update_discriminator(
        self, state: GanState, real_NHWC: Array, label_NK: Array | None, key: Array
    ) -> tuple[GanState, Metrics]:
        key_noise, key_view, key_penalty = self._keys(key)
        network = state.discriminator
        fake_NHWC, stats = self._fake(state.generator, key_noise, real_NHWC, label_NK)
        real_MHWD, fake_MHWD = (
            self._packs(self.augmentation.apply(images_NHWC, jax.random.fold_in(key_view, index)))
            for index, images_NHWC in enumerate((real_NHWC, fake_NHWC))
        )
        label_ML = self._packs(label_NK)

        def objective(params: PyTree) -> tuple[Array, tuple[Metrics, PyTree]]:
            real_logits_M, fake_logits_M, stats = self._judged(
                replace(network, params=params), real_MHWD, fake_MHWD, label_ML
            )
            loss_M = self.loss.discriminator(real_logits_M, fake_logits_M)
            if self.loss.penalty is not None:

                def critic(images_MHWD: Array) -> Array:
                    return self._score(replace(network, params=params), images_MHWD, label_ML)

                penalty_M = self.loss.penalty(critic, real_MHWD, fake_MHWD, key_penalty)
                loss_M += self.penalty_weight * penalty_M
            scores = {"d_real": real_logits_M.mean(), "d_fake": fake_logits_M.mean()}
            return loss_M.mean(), (scores, stats)

        (loss, (scores, d_stats)), gradient = jax.value_and_grad(objective, has_aux=True)(
            network.params
        )
        state = replace(
            state,
            discriminator=replace(self._updated(network, gradient), stats=d_stats),
            generator=replace(state.generator, stats=stats),
        )
        return state, {"d_loss": loss, **scores}

    def _update_generator(
        self, state: GanState, real_NHWC: Array, label_NK: Array | None, key: Array
    ) -> tuple[GanState, Metrics]:
        key_noise, key_view, _ = self._keys(key)
        label_ML = self._packs(label_NK)

        def score(images_NHWC: Array, index: int) -> Array:
            seen_NHWC = self.augmentation.apply(images_NHWC, jax.random.fold_in(key_view, index))
            return self._score(state.discriminator, self._packs(seen_NHWC), label_ML)

        def objective(params: PyTree) -> tuple[Array, PyTree]:
            generator = replace(state.generator, params=params)
            fake_NHWC, stats = self._fake(generator, key_noise, real_NHWC, label_NK)
            # The real logits cost nothing unless the loss uses them: XLA drops what is unused.
            loss_M = self.loss.generator(score(real_NHWC, 0), score(fake_NHWC, 1))
            return loss_M.mean(), stats

        (loss, stats), gradient = jax.value_and_grad(objective, has_aux=True)(
            state.generator.params
        )
        generator = replace(self._updated(state.generator, gradient), stats=stats)
        return replace(state, generator=generator), {"g_loss": loss}

    def _update_average(self, state: GanState) -> GanState:
        """Update the average, faster in the first steps, which are far from where it will be."""
        if state.average is None:
            return state
        count = state.average["count"] + 1
        decay = jnp.minimum(self.average_decay, count / (count + 10.0))
        newest = {"params": state.generator.params, "stats": state.generator.stats}
        kept = {name: state.average[name] for name in newest}
        average = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, kept, newest)
        return replace(state, average=average | {"count": count})

    def _keys(self, key: Array) -> tuple[Array, Array, Array]:
        """Keys for noise, augmentation and penalty; the noise does not depend on the others."""
        return key, jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)

    def _one_hot(self, label_N: Array) -> Array | None:
        return jax.nn.one_hot(label_N, self.classes, dtype=jnp.float32) if self.classes else None

    def _packs(self, x_N: Any) -> Any:
        """Images or labels as the discriminator gets them; None stays None."""
        return None if x_N is None else batch_axis.side_by_side(x_N, self.packing)

    def _judged(
        self, network: NetworkState, real_MHWD: Array, fake_MHWD: Array, label_ML: Array | None
    ) -> tuple[Array, Array, PyTree]:
        """Logits of real and fake packs (M,) each, and the discriminator's new statistics."""

        def judge(stats: PyTree, x: Array, label: Array | None) -> tuple[Array, PyTree]:
            variables = {"params": network.params, "batch_stats": stats}
            logits, updated = self.discriminator.apply(
                variables, x, label, train=True, mutable=["batch_stats"]
            )
            return logits, updated.get("batch_stats", {})

        if self.judges_batches:
            real_logits_M, stats = judge(network.stats, real_MHWD, label_ML)
            fake_logits_M, stats = judge(stats, fake_MHWD, label_ML)
        else:
            # One pass over both, since no example sees another.
            both = batch_axis.join(real_MHWD, fake_MHWD)
            both_labels = None if label_ML is None else batch_axis.join(label_ML, label_ML)
            logits, stats = judge(network.stats, both, both_labels)
            real_logits_M, fake_logits_M = batch_axis.parts(logits, 2)
        return real_logits_M, fake_logits_M, stats

    def _score(self, network: NetworkState, images_MHWD: Array, label_ML: Array | None) -> Array:
        variables = {"params": network.params, "batch_stats": network.stats}
        if not self.judges_batches:
            logits_M: Any = self.discriminator.apply(variables, images_MHWD, label_ML)
            return logits_M
        return self.discriminator.apply(
            variables, images_MHWD, label_ML, train=True, mutable=["batch_stats"]
        )[0]

    def _fake(
        self, generator: NetworkState, key: Array, real_NHWC: Array, label_NK: Array | None
    ) -> tuple[Array, PyTree]:
        """As many fakes as there are real images, and the new running averages."""
        noise_NZ = batch_axis.split(self.noise.draw(key, (real_NHWC.shape[0], self.noise_size)))
        fake_NHWC, updated = self.generator.apply(
            {"params": generator.params, "batch_stats": generator.stats},
            noise_NZ,
            label_NK,
            train=True,
            mutable=["batch_stats"],
        )
        return fake_NHWC, updated.get("batch_stats", {})

    def _updated(self, network: NetworkState, gradient: PyTree) -> NetworkState:
        updates, optimizer = self.optimizer.update(gradient, network.optimizer, network.params)
        params = optax.apply_updates(network.params, updates)
        return replace(network, params=params, optimizer=optimizer)
