"""One GAN step against the same update written out by hand."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import dcgan
from jaxgen.data.images.base import to_model_range
from jaxgen.gan import losses
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.step import weights

SHAPE = (28, 28, 1)
ABOUT = AboutImages(SHAPE, classes=10, examples=8)
# Batch norm in the generator, as in A4; fully connected, since convolutions take long to compile.
SMALL = GanConfig(
    workdir="",
    steps=1,
    batch_size=8,
    noise_size=5,
    networks=MLP(generator_hidden=(6, 7), generator_normalized=(0, 1), discriminator_hidden=(5,)),
)
CONVOLUTIONAL = DCGAN(hidden=6, generator_channels=(4, 3), discriminator_channels=(2, 3))


def real_batch(n=8):
    # A fixed pattern: what matters is that it is not what the generator makes.
    pixels = np.arange(n * 784, dtype=np.uint32).reshape(n, *SHAPE)
    return {"image": (pixels * 2654435761 >> 7).astype(np.uint8), "label": np.arange(n) % 10}


def close(actual, expected, rtol=2e-4, atol=2e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol, atol), actual, expected)


@pytest.mark.parametrize("loss", [losses.non_saturating, losses.least_squares])
def test_a_step_updates_d_then_g_against_the_new_d_on_other_noise(loss):
    config = replace(SMALL, loss=loss)
    gan = config.gan(ABOUT)
    key = jax.random.key(7)
    batch = real_batch()
    state = jax.jit(gan.init)(jax.random.key(1), batch)
    new, metrics = jax.jit(gan.step)(state, batch, key)

    generator = config.networks.generator(SHAPE)
    discriminator = config.networks.discriminator(SHAPE)
    optimizer = optax.adam(1e-3, 0.5, 0.999)

    def make(params, stats, key):
        noise = jax.random.uniform(key, (8, 5), minval=-1, maxval=1)
        variables = {"params": params, "batch_stats": stats}
        fake, kept = generator.apply(variables, noise, mutable=["batch_stats"])
        return fake, kept["batch_stats"]

    def score(params, images):
        return discriminator.apply({"params": params}, images)

    def updated(params, gradient):
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        return optax.apply_updates(params, updates)

    @jax.jit
    def by_hand(g, stats, d):
        key_d, key_g = jax.random.split(key)
        real = to_model_range(jnp.asarray(batch["image"]))
        fake, stats = make(g, stats, key_d)

        def d_objective(d):
            return loss.discriminator(score(d, real), score(d, fake)).mean()

        d_loss, d_gradient = jax.value_and_grad(d_objective)(d)
        d = updated(d, d_gradient)

        def g_objective(g):
            fake, kept = make(g, stats, key_g)
            return loss.generator(score(d, real), score(d, fake)).mean(), kept

        (g_loss, stats), g_gradient = jax.value_and_grad(g_objective, has_aux=True)(g)
        gradients = jax.tree.map(lambda x: 0.5 * x, (d_gradient, g_gradient))
        return d_loss, g_loss, gradients, d, updated(g, g_gradient), stats

    g = state.generator
    d_loss, g_loss, half_gradients, d_params, g_params, stats = by_hand(
        g.params, g.stats, state.discriminator.params
    )
    close(metrics["d_loss"], d_loss)
    close(metrics["g_loss"], g_loss)
    # Adam's first step is the gradient's sign: entries near 0 may differ, the gradient says more.
    moments = (new.discriminator.optimizer[0].mu, new.generator.optimizer[0].mu)
    close(moments, half_gradients)
    close((new.discriminator.params, new.generator.params), (d_params, g_params), atol=2.1e-3)
    close(new.generator.stats, stats)


def test_running_averages_take_both_generator_passes():
    """PyTorch's modules in training mode do: after one step 0.9² of the first value is left."""
    gan = SMALL.gan(ABOUT)
    batch = real_batch()
    state = jax.jit(gan.init)(jax.random.key(0), batch)
    marked = jax.tree.map(lambda x: x + 1000.0, state.generator.stats)
    state = state.replace(generator=state.generator.replace(stats=marked))
    new, _ = jax.jit(gan.step)(state, batch, jax.random.key(3))
    means = [
        leaf
        for path, leaf in jax.tree.leaves_with_path(new.generator.stats)
        if path[-1].key == "mean"
    ]
    assert len(means) == 2
    for mean in means:
        np.testing.assert_allclose(mean, 810.0, atol=5)


def test_first_losses_are_near_chance():
    """The notebook: D 1.403 and G 1.433 at iteration 0; D of a coin is 2 log 2 = 1.386."""
    gan = dcgan.config.gan(ABOUT)
    batch = real_batch(16)
    state = jax.jit(gan.init)(jax.random.key(0), batch)
    _, metrics = jax.jit(gan.step)(state, batch, jax.random.key(0))
    assert abs(metrics["d_loss"] - 1.4) < 0.2
    assert 0.4 < metrics["g_loss"] < 2.5


def trained(config, steps=3):
    gan = config.gan(ABOUT)
    batch = real_batch()
    state = jax.jit(gan.init)(jax.random.key(1), batch)
    states = [state]
    step = jax.jit(gan.step)
    for index in range(steps):
        state, metrics = step(state, batch, jax.random.key(index))
        assert all(np.isfinite(value) for value in metrics.values())
        states.append(state)
    return gan, states


def test_moving_average_of_the_generator():
    """Count c weighs the newest with max(1 - decay, 10 / (c + 10)); it makes the samples."""
    _, states = trained(replace(SMALL, average_decay=0.2))
    expected = {"params": states[0].generator.params, "stats": states[0].generator.stats}
    for count, state in enumerate(states[1:], start=1):
        decay = min(0.2, count / (count + 10))
        newest = {"params": state.generator.params, "stats": state.generator.stats}
        expected = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, expected, newest)  # noqa: B023
    average = states[-1].average
    close({name: average[name] for name in expected}, expected)
    assert int(average["count"]) == 3
    assert weights(states[-1]).params is average["params"]


def test_spectral_norm_keeps_its_vectors_and_bounds_the_kernels():
    networks = replace(CONVOLUTIONAL, spectral_norm=True)
    gan, states = trained(replace(SMALL, networks=networks), steps=2)
    before, after = (jax.tree.leaves(state.discriminator.stats) for state in states[1:])
    assert before
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    layer = gan.discriminator
    images = jnp.linspace(-1, 1, 2 * 784).reshape(2, *SHAPE)
    variables = {"params": states[-1].discriminator.params}
    moved = {"batch_stats": states[-1].discriminator.stats}
    move = jax.jit(
        lambda kept: layer.apply(variables | kept, images, train=True, mutable=["batch_stats"])
    )
    for _ in range(30):  # until power iteration has found the largest singular value
        logits, moved = move(moved)
    scaled = jax.tree.map(lambda x: 7.0 * x if x.ndim > 1 else x, variables["params"])
    again = layer.apply({"params": scaled, **moved}, images)
    np.testing.assert_allclose(again, logits, rtol=1e-3)


@pytest.mark.parametrize("loss", [losses.wasserstein_gp, losses.relativistic_r1r2])
def test_penalty_adds_to_the_discriminators_loss(loss):
    _, without = trained(replace(SMALL, loss=loss, penalty_weight=0.0), steps=1)
    _, weighted = trained(replace(SMALL, loss=loss, penalty_weight=5.0), steps=1)
    mu = [jax.tree.leaves(s[1].discriminator.optimizer[0].mu) for s in (without, weighted)]
    assert any(np.abs(a - b).max() > 1e-6 for a, b in zip(*mu, strict=True))


def test_labels_reach_both_networks():
    for networks in (SMALL.networks, CONVOLUTIONAL):
        config = replace(SMALL, networks=networks, conditional=True)
        gan, states = trained(config, steps=1)
        noise = np.zeros((8, 5), np.float32)
        made = config.sampler(ABOUT).sample_from(weights(states[-1]), noise, np.arange(8))
        assert np.abs(made[0] - made[1]).max() > 1e-4
        images = jnp.zeros((8, *SHAPE))
        score = jax.jit(lambda d: gan._score(d, images, gan._one_hot(jnp.arange(8))))  # noqa: B023
        logits = score(states[-1].discriminator)
        assert len(np.unique(np.asarray(logits))) > 1
