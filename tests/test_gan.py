"""One GAN step against the same update written out by hand, and sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import dcgan
from jaxgen import losses
from jaxgen.data.images import to_model_range
from jaxgen.gan import Gan, GanConfig
from jaxgen.models.dcgan import DCGAN

SHAPE = (28, 28, 1)
SMALL = GanConfig(
    workdir="",
    steps=1,
    batch_size=8,
    noise_size=5,
    networks=DCGAN(hidden=6, generator_channels=(4, 3), discriminator_channels=(2, 3)),
)


def real_batch(n=8):
    # A fixed pattern: what matters is that it is not what the generator makes.
    pixels = np.arange(n * 784, dtype=np.uint32).reshape(n, *SHAPE)
    return {"image": (pixels * 2654435761 >> 7).astype(np.uint8), "label": np.arange(n) % 10}


def close(actual, expected, rtol=2e-4, atol=2e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol, atol), actual, expected)


@pytest.mark.parametrize("loss", [losses.non_saturating, losses.least_squares])
def test_a_step_updates_d_then_g_against_the_new_d_on_other_noise(loss):
    config = GanConfig(workdir="", steps=1, noise_size=5, networks=SMALL.networks, loss=loss)
    gan = Gan(config, SHAPE)
    key = jax.random.key(7)
    batch = real_batch()
    state = gan.init(jax.random.key(1), batch)
    new, metrics = jax.jit(gan.step)(state, batch, key)

    generator = config.networks.generator(SHAPE)
    discriminator = config.networks.discriminator(SHAPE)
    optimizer = optax.adam(1e-3, 0.5, 0.999)
    key_d, key_g = jax.random.split(key)
    noise_d, noise_g = (jax.random.uniform(k, (8, 5), minval=-1, maxval=1) for k in (key_d, key_g))
    g, d = state.generator.params, state.discriminator.params

    def make(params, stats, noise):
        fake, kept = generator.apply(
            {"params": params, "batch_stats": stats}, noise, mutable=["batch_stats"]
        )
        return fake, kept["batch_stats"]

    def score(params, images):
        return discriminator.apply({"params": params}, images)

    real = to_model_range(jnp.asarray(batch["image"]))
    fake, stats = make(g, state.generator.stats, noise_d)
    d_loss, d_gradient = jax.value_and_grad(
        lambda p: loss.discriminator(score(p, real), score(p, fake)).mean()
    )(d)
    updates, _ = optimizer.update(d_gradient, optimizer.init(d), d)
    d = optax.apply_updates(d, updates)

    def g_objective(params):
        fake, kept = make(params, stats, noise_g)
        return loss.generator(score(d, real), score(d, fake)).mean(), kept

    (g_loss, stats), g_gradient = jax.value_and_grad(g_objective, has_aux=True)(g)
    updates, _ = optimizer.update(g_gradient, optimizer.init(g), g)
    g = optax.apply_updates(g, updates)

    close(metrics["d_loss"], d_loss)
    close(metrics["g_loss"], g_loss)
    # Adam's first step is the gradient's sign: entries near 0 may differ, the gradient says more.
    close(new.discriminator.optimizer[0].mu, jax.tree.map(lambda x: 0.5 * x, d_gradient))
    close(new.generator.optimizer[0].mu, jax.tree.map(lambda x: 0.5 * x, g_gradient))
    close(new.discriminator.params, d, atol=2e-3)
    close(new.generator.stats, stats)


def test_running_averages_take_both_generator_passes():
    """PyTorch's modules in training mode do: after one step 0.9² of the first value is left."""
    gan = Gan(SMALL, SHAPE)
    batch = real_batch()
    state = gan.init(jax.random.key(0), batch)
    marked = jax.tree.map(lambda x: x + 1000.0, state.generator.stats)
    state = state.replace(generator=state.generator.replace(stats=marked))
    new, _ = jax.jit(gan.step)(state, batch, jax.random.key(3))
    means = [
        leaf
        for path, leaf in jax.tree.leaves_with_path(new.generator.stats)
        if path[-1].key == "mean"
    ]
    assert len(means) == 3
    for mean in means:
        np.testing.assert_allclose(mean, 810.0, atol=5)


def test_sampling_statistics_are_those_the_config_names():
    running = Gan(SMALL, SHAPE)
    batch = real_batch()
    state = running.init(jax.random.key(0), batch)
    params, stats = state.generator.params, state.generator.stats
    far = jax.tree.map(lambda x: x + 3.0, stats)
    moved = running.sample(params, far, 8) - running.sample(params, stats, 8)
    assert np.abs(moved).max() > 1e-2
    batchwise = Gan(
        GanConfig(
            workdir="",
            steps=1,
            batch_size=8,
            noise_size=5,
            networks=SMALL.networks,
            sample_statistics="batch",
        ),
        SHAPE,
    )
    assert np.array_equal(batchwise.sample(params, far, 8), batchwise.sample(params, stats, 8))


def test_more_samples_begin_with_the_same_ones():
    gan = Gan(SMALL, SHAPE)
    state = gan.init(jax.random.key(0), real_batch())
    few = gan.sample(state.generator.params, state.generator.stats, 3, seed=4)
    many = gan.sample(state.generator.params, state.generator.stats, 19, seed=4)
    assert many.shape == (19, *SHAPE)
    assert np.array_equal(few, many[:3])
    assert np.abs(many).max() <= 1
    assert not np.array_equal(many[:8], many[8:16])


def test_first_losses_are_near_chance():
    """SPEC A3: D 1.403 and G 1.433 at iteration 0; D of a coin is 2 log 2 = 1.386."""
    gan = Gan(dcgan.config, SHAPE)
    batch = real_batch(16)
    state = gan.init(jax.random.key(0), batch)
    _, metrics = jax.jit(gan.step)(state, batch, jax.random.key(0))
    assert abs(metrics["d_loss"] - 1.4) < 0.2
    assert 0.4 < metrics["g_loss"] < 2.5
