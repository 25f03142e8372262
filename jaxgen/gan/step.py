"""One training step of generative adversarial networks, for any networks and any loss.

N batch, Z noise, H height, W width, C channels, K classes; M packs of images with D channels and
labels of L numbers, as `jaxgen.gan.judging` makes them: without packing N, C and K.

The discriminator is updated on a real batch and on fakes from fresh noise, with no gradient into
the generator; then the generator is updated on *other* fresh noise through the *updated*
discriminator (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, algorithm 1, by default with
one step of each; several of the discriminator divide the batch among them). Where there are
classes, a batch's labels go to real and fake alike. Batch statistics: both of these generator
passes run in training mode and both update its running averages, as PyTorch's modules do. The
discriminator's own statistics (spectral norm) advance in its update only.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import flax.linen as nn
import flax.serialization
import flax.struct
import jax
import jax.numpy as jnp
import optax

from jaxgen.data.images.base import to_model_range
from jaxgen.gan.accumulation import in_parts, mean_gradient
from jaxgen.gan.augmentation import Augmentation
from jaxgen.gan.course import Course, Kept, Now
from jaxgen.gan.judging import Critic, Judge
from jaxgen.gan.losses import AdversarialLoss
from jaxgen.gan.noise import Noise
from jaxgen.gan.recipe import Updates
from jaxgen.gan.sampling import Weights
from jaxgen.nn import batch_axis
from jaxgen.training.optimizers import updated

Array = jax.Array
PyTree = Any
Metrics = dict[str, Array]
Batch = tuple[Array, Array | None]
"""Images in [-1, 1] and their one-hot labels."""


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
    course: Kept = None
    """What the numbers of the next step depend on; None where they are the same in all steps."""


def _to_dicts(state: GanState) -> dict[str, Any]:
    parts = {field.name: getattr(state, field.name) for field in fields(GanState)}
    return {name: flax.serialization.to_state_dict(part) for name, part in parts.items()}


def _from_dicts(state: GanState, saved: dict[str, Any]) -> GanState:
    saved = {"course": None, **saved}  # which older checkpoints lack
    parts = {
        name: flax.serialization.from_state_dict(getattr(state, name), part, name)
        for name, part in saved.items()
    }
    return replace(state, **parts)


flax.serialization.register_serialization_state(GanState, _to_dicts, _from_dicts, override=True)


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
    course: Course = Course()
    """Weight of the loss's penalty, decay of the moving average, and what changes over steps."""
    updates: Updates = Updates()
    """How a batch becomes updates."""
    discriminator_optimizer: optax.GradientTransformation | None = None
    """The discriminator's own; None for the same."""
    classes: int = 0
    """K of labels or clusters, given to both as one-hot vectors; 0 for networks that see none."""
    packing: int = 1
    """Images that the discriminator judges together; it divides the images of each pass."""
    judges_batches: bool = False
    """Whether the discriminator normalises by the statistics of what it is given."""

    def init(self, key: Array, batch: dict[str, Array]) -> GanState:
        """The state before the first step."""
        key_g, key_d = jax.random.split(key)
        noise_NZ = jnp.zeros((2, self.noise_size), jnp.float32)
        images_NHWC = jnp.zeros((2 * self.packing, *self.image_shape), jnp.float32)
        images_MHWD = self._judge.packs(images_NHWC)

        def network(
            module: nn.Module,
            optimizer: optax.GradientTransformation,
            key: Array,
            *args: Array | None,
        ) -> NetworkState:
            variables = module.init(key, *args, train=True)
            params = variables["params"]
            stats = variables.get("batch_stats", {})
            return NetworkState(params, stats, optimizer.init(params))

        label_NK = self._one_hot(jnp.zeros(2, jnp.int32))
        label_ML = self._judge.packs(self._one_hot(jnp.zeros(2 * self.packing, jnp.int32)))
        generator = network(self.generator, self.optimizer, key_g, noise_NZ, label_NK)
        average = None
        if self.course.has_average:
            average = {"params": generator.params, "stats": generator.stats, "count": jnp.int32(0)}
        return GanState(
            generator=generator,
            discriminator=network(
                self.discriminator, self._optimizer_d, key_d, images_MHWD, label_ML
            ),
            average=average,
            course=self.course.init(),
        )

    def step(
        self, state: GanState, batch: dict[str, Array], key: Array
    ) -> tuple[GanState, Metrics]:
        """Update the discriminator, then the generator once against the new one."""
        key_d, key_g = jax.random.split(key)
        real_NHWC = to_model_range(batch["image"])
        real = real_NHWC, self._one_hot(batch["label"])
        now = self.course.now(state.course)
        rounds = self.updates.discriminator
        if rounds == 1:
            state, d_metrics = self._update_discriminator(state, real, key_d, now)
        else:

            def turn(state: GanState, place_real: PyTree) -> tuple[GanState, Metrics]:
                place, real = place_real
                return self._update_discriminator(
                    state, real, jax.random.fold_in(key_d, place), now
                )

            reals = in_parts(real, rounds)
            state, metrics = jax.lax.scan(turn, state, (jnp.arange(rounds), reals))
            d_metrics = jax.tree.map(lambda of_each: of_each.mean(axis=0), metrics)
            real = jax.tree.map(lambda of_each: of_each[-1], reals)
        state, g_metrics = self._update_generator(state, real, key_g, now)
        state = self._update_average(state)
        sign = d_metrics.pop("sign", jnp.float32(0))
        if now.strength is not None:
            d_metrics["strength"] = now.strength
        course = self.course.after(state.course, sign, len(real_NHWC))
        return replace(state, course=course), d_metrics | g_metrics

    def _update_discriminator(
        self, state: GanState, real: Batch, key: Array, now: Now
    ) -> tuple[GanState, Metrics]:
        def one(state: GanState, real: Batch, key: Array) -> tuple[GanState, PyTree, Metrics]:
            return self._discriminator_gradient(state, *real, key, now)

        state, gradient, metrics = mean_gradient(one, state, real, key, self.updates.parts)
        network = self._updated(self._optimizer_d, state.discriminator, gradient)
        return replace(state, discriminator=network), metrics

    def _update_generator(
        self, state: GanState, real: Batch, key: Array, now: Now
    ) -> tuple[GanState, Metrics]:
        def one(state: GanState, real: Batch, key: Array) -> tuple[GanState, PyTree, Metrics]:
            return self._generator_gradient(state, *real, key, now)

        state, gradient, metrics = mean_gradient(one, state, real, key, self.updates.parts)
        return replace(
            state, generator=self._updated(self.optimizer, state.generator, gradient)
        ), metrics

    def _discriminator_gradient(
        self, state: GanState, real_NHWC: Array, label_NK: Array | None, key: Array, now: Now
    ) -> tuple[GanState, PyTree, Metrics]:
        key_noise, key_view, key_penalty = self._keys(key)
        packs = self._judge.packs
        network = state.discriminator
        fake_NHWC, stats = self._fake(state.generator, key_noise, real_NHWC, label_NK)
        real_MHWD, fake_MHWD = (
            packs(self._seen(images_NHWC, jax.random.fold_in(key_view, index), now))
            for index, images_NHWC in enumerate((real_NHWC, fake_NHWC))
        )
        label_ML = packs(label_NK)
        penalty = self.loss.penalty

        def penalties(params: PyTree) -> Array:
            assert penalty is not None
            is_of_made = self.course.penalty.images == "made"

            @jax.jit  # traced and differentiated once, however many penalties ask for it
            def score(images_MHWD: Array, key: Array) -> Array:
                if is_of_made:
                    images_NHWC = self._judge.images(images_MHWD)
                    images_MHWD = packs(self._seen(images_NHWC, key, now))
                return self._score(replace(network, params=params), images_MHWD, label_ML)

            critic = Critic(score, *(jax.random.fold_in(key_view, index) for index in range(2)))
            seen = real_MHWD, fake_MHWD
            images = (packs(real_NHWC), packs(fake_NHWC)) if is_of_made else seen
            return now.penalty_weight * penalty(critic, *images, key_penalty)

        def objective(params: PyTree) -> tuple[Array, tuple[Metrics, PyTree]]:
            real_logits_M, fake_logits_M, stats = self._judge.both(
                params, network.stats, real_MHWD, fake_MHWD, label_ML
            )
            loss_M = self.loss.discriminator(real_logits_M, fake_logits_M)
            if penalty is not None and now.is_due is None:
                loss_M += penalties(params)
            scores = {"d_real": real_logits_M.mean(), "d_fake": fake_logits_M.mean()}
            if self.course.augmenting.target:
                scores["sign"] = jnp.sign(real_logits_M).mean()
            return loss_M.mean(), (scores, stats)

        (loss, (scores, d_stats)), gradient = jax.value_and_grad(objective, has_aux=True)(
            network.params
        )
        if penalty is not None and now.is_due is not None:
            # The loss that is told is without it, or each of these steps would stand out.
            of_penalty = jax.lax.cond(
                now.is_due,
                jax.grad(lambda params: penalties(params).mean()),
                lambda params: jax.tree.map(jnp.zeros_like, params),
                network.params,
            )
            gradient = jax.tree.map(jnp.add, gradient, of_penalty)
        state = replace(
            state,
            discriminator=replace(network, stats=d_stats),
            generator=replace(state.generator, stats=stats),
        )
        return state, gradient, {"d_loss": loss, **scores}

    def _generator_gradient(
        self, state: GanState, real_NHWC: Array, label_NK: Array | None, key: Array, now: Now
    ) -> tuple[GanState, PyTree, Metrics]:
        key_noise, key_view, _ = self._keys(key)
        packs = self._judge.packs
        label_ML = packs(label_NK)

        def score(images_NHWC: Array, index: int) -> Array:
            seen_NHWC = self._seen(images_NHWC, jax.random.fold_in(key_view, index), now)
            return self._score(state.discriminator, packs(seen_NHWC), label_ML)

        def objective(params: PyTree) -> tuple[Array, PyTree]:
            generator = replace(state.generator, params=params)
            fake_NHWC, stats = self._fake(generator, key_noise, real_NHWC, label_NK)
            # The real logits cost nothing unless the loss uses them: XLA drops what is unused.
            loss_M = self.loss.generator(score(real_NHWC, 0), score(fake_NHWC, 1))
            return loss_M.mean(), stats

        (loss, stats), gradient = jax.value_and_grad(objective, has_aux=True)(
            state.generator.params
        )
        generator = replace(state.generator, stats=stats)
        return replace(state, generator=generator), gradient, {"g_loss": loss}

    def _seen(self, images_NHWC: Array, key: Array, now: Now) -> Array:
        """What the discriminator sees of images."""
        if now.strength is None:
            return self.augmentation.apply(images_NHWC, key)
        return self.augmentation.in_part(images_NHWC, key, now.strength)

    def _update_average(self, state: GanState) -> GanState:
        """Update the average, faster in the first steps, which are far from where it will be."""
        if state.average is None:
            return state
        count = state.average["count"] + 1
        decay = jnp.minimum(self.course.decay(state.course), count / (count + 10.0))
        newest = {"params": state.generator.params, "stats": state.generator.stats}
        kept = {name: state.average[name] for name in newest}
        average = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, kept, newest)
        return replace(state, average=average | {"count": count})

    def _keys(self, key: Array) -> tuple[Array, Array, Array]:
        """Keys for noise, augmentation and penalty; the noise does not depend on the others."""
        return key, jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)

    def _one_hot(self, label_N: Array) -> Array | None:
        return jax.nn.one_hot(label_N, self.classes, dtype=jnp.float32) if self.classes else None

    def _score(self, network: NetworkState, images_MHWD: Array, label_ML: Array | None) -> Array:
        return self._judge.score(network.params, network.stats, images_MHWD, label_ML)

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

    @property
    def _judge(self) -> Judge:
        return Judge(self.discriminator, self.packing, self.judges_batches)

    @property
    def _optimizer_d(self) -> optax.GradientTransformation:
        return self.discriminator_optimizer or self.optimizer

    def _updated(
        self, optimizer: optax.GradientTransformation, network: NetworkState, gradient: PyTree
    ) -> NetworkState:
        params, kept = updated(optimizer, gradient, network.optimizer, network.params)
        return replace(network, params=params, optimizer=kept)
