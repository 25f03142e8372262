"""Packing: a step against the same written out by hand, what goes with it, and what is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data.images.base import to_model_range
from jaxgen.errors import JaxgenError
from jaxgen.gan import augmentation, losses
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.pacgan import PacGAN
from jaxgen.gan.recipe import Augmenting, BurnIn, Penalty, Updates
from jaxgen.nn import batch_axis
from jaxgen.settings import check
from jaxgen.training.optimizers import Optimizer, sgd

SHAPE = (8, 8, 2)
ABOUT = AboutImages(SHAPE, classes=3, examples=6)
CONFIG = GanConfig(
    workdir="",
    steps=1,
    batch_size=6,
    noise_size=5,
    packing=2,
    networks=MLP(generator_hidden=(6,), discriminator_hidden=(5,)),
    optimizer=Optimizer(rule=sgd, learning_rate=1.0),
)


def real_batch():
    pixels = np.random.default_rng(0).integers(256, size=(6, *SHAPE), dtype=np.uint8)
    return {"image": pixels, "label": np.arange(6) % 3}


def beside(x):
    """Packs of two by hand: neighbours, one after the other in the last axis."""
    pairs = range(len(x) // 2)
    return jnp.stack([jnp.concatenate([x[2 * i], x[2 * i + 1]], axis=-1) for i in pairs])


def test_neighbours_stand_side_by_side():
    x = jnp.arange(48.0).reshape(6, 2, 4)
    np.testing.assert_array_equal(batch_axis.side_by_side(x, 2), beside(x))
    np.testing.assert_array_equal(batch_axis.side_by_side(x[:, 0], 3)[1], x[3:, 0].reshape(-1))
    assert batch_axis.side_by_side(x, 1) is batch_axis.one_by_one(x, 1) is x
    for count in (2, 3):
        packs = batch_axis.side_by_side(x, count)
        np.testing.assert_array_equal(batch_axis.one_by_one(packs, count), x)


def test_a_conditional_step_judges_packs():
    loss = losses.relativistic_r1r2
    config = replace(CONFIG, loss=loss, conditional=True, penalty_weight=0.3)
    gan, batch, key = config.gan(ABOUT), real_batch(), jax.random.key(7)
    state = jax.jit(gan.init)(jax.random.key(1), batch)
    new, metrics = jax.jit(gan.step)(state, batch, key)

    generator = config.networks.generator(SHAPE)
    discriminator = config.networks.discriminator((8, 8, 4))
    labels = jax.nn.one_hot(batch["label"], 3)

    def make(params, key):
        noise = jax.random.uniform(key, (6, 5), minval=-1, maxval=1)
        return generator.apply({"params": params}, noise, labels)

    def judge(params, packs):
        return discriminator.apply({"params": params}, packs, beside(labels))

    def penalty(params, packs):
        gradient = jax.grad(lambda x: judge(params, x).sum())(packs)
        return 0.5 * jnp.square(gradient).sum((1, 2, 3))

    real = beside(to_model_range(batch["image"]))
    key_d, key_g = jax.random.split(key)
    fake = beside(make(state.generator.params, key_d))

    def d_loss(params):
        found = loss.discriminator(judge(params, real), judge(params, fake))
        return (found + 0.3 * (penalty(params, real) + penalty(params, fake))).mean()

    value, gradient = jax.jit(jax.value_and_grad(d_loss))(state.discriminator.params)
    np.testing.assert_allclose(metrics["d_loss"], value, rtol=1e-5)
    params = jax.tree.map(lambda old, slope: old - slope, state.discriminator.params, gradient)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, 2e-4, 2e-6), new.discriminator.params, params
    )

    def g_loss(own):
        fake = beside(make(own, key_g))
        return loss.generator(judge(params, real), judge(params, fake)).mean()

    expected = jax.jit(g_loss)(state.generator.params)
    np.testing.assert_allclose(metrics["g_loss"], expected, rtol=1e-4)


def test_images_are_augmented_one_by_one_before_they_are_packed():
    seen = []

    def noted(images, key):
        seen.append(images.shape)
        return augmentation.translate(images, key)

    config = replace(CONFIG, augmentation=augmentation.Augmentation(noted))
    gan, batch = config.gan(ABOUT), real_batch()
    state = jax.eval_shape(gan.init, jax.random.key(1), batch)
    jax.eval_shape(gan.step, state, batch, jax.random.key(0))
    assert set(seen) == {(6, *SHAPE)}


@pytest.mark.parametrize(
    "networks",
    [
        DCGAN(hidden=6, generator_channels=(4, 3), discriminator_channels=(2, 3)),
        PacGAN(generator_channels=(6, 4), discriminator_channels=(3, 4)),
    ],
    ids=lambda networks: type(networks).__name__,
)
def test_convolutional_networks_take_packs(networks):
    about = AboutImages((16, 16, 3), classes=3, examples=6)
    config = replace(CONFIG, networks=networks, conditional=True)
    gan = config.gan(about)
    batch = {"image": np.zeros((6, 16, 16, 3), np.uint8), "label": np.arange(6) % 3}
    state = jax.eval_shape(gan.init, jax.random.key(0), batch)
    new, metrics = jax.eval_shape(gan.step, state, batch, jax.random.key(1))
    assert jax.tree.map(lambda x: x.shape, new) == jax.tree.map(lambda x: x.shape, state)
    assert metrics["d_loss"].shape == ()


def test_real_and_fake_have_batch_statistics_of_their_own():
    """By hand, PacGAN's discriminator in both updates of a step."""
    networks = PacGAN(generator_channels=(4, 3), discriminator_channels=(2, 3))
    about = AboutImages((8, 8, 1), classes=1, examples=4)
    config = replace(CONFIG, networks=networks, packing=1, batch_size=4)
    gan = config.gan(about)
    pixels = np.random.default_rng(0).integers(256, size=(4, 8, 8, 1), dtype=np.uint8)
    batch = {"image": pixels, "label": np.zeros(4, np.int32)}
    state = jax.jit(gan.init)(jax.random.key(1), batch)
    key = jax.random.key(7)
    new, metrics = jax.jit(gan.step)(state, batch, key)

    @jax.jit
    def judge(network, images):
        variables = {"params": network.params, "batch_stats": network.stats}
        return networks.discriminator((8, 8, 1)).apply(
            variables, images, train=True, mutable=["batch_stats"]
        )

    @jax.jit
    def make(key):
        noise = jax.random.uniform(key, (4, 5), minval=-1, maxval=1)
        variables = {"params": state.generator.params, "batch_stats": state.generator.stats}
        return networks.generator((8, 8, 1)).apply(variables, noise, mutable=["batch_stats"])[0]

    key_d, key_g = jax.random.split(key)
    real_logits, kept = judge(state.discriminator, to_model_range(pixels))
    fake_logits, kept = judge(replace(state.discriminator, stats=kept["batch_stats"]), make(key_d))
    np.testing.assert_allclose(metrics["d_real"], real_logits.mean(), 1e-4, 1e-6)
    np.testing.assert_allclose(metrics["d_fake"], fake_logits.mean(), 1e-4, 1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-6),
        new.discriminator.stats,
        kept["batch_stats"],
    )
    after, _ = judge(replace(new.discriminator, stats=state.discriminator.stats), make(key_g))
    np.testing.assert_allclose(metrics["g_loss"], jax.nn.softplus(-after).mean(), rtol=1e-3)


@pytest.mark.parametrize("images", ["made", "seen"])
def test_the_penalty_is_of_packs_of_images_as_they_are_made_or_seen(images):
    """An augmentation that multiplies each image by a number of its own."""
    times = jnp.arange(1.0, 7)[:, None, None, None]
    config = replace(
        CONFIG,
        loss=losses.non_saturating_r1,
        penalty=Penalty(images=images),
        augmentation=augmentation.Augmentation(lambda images, key: times * images),
    )
    gan, batch = config.gan(ABOUT), real_batch()
    state = gan.init(jax.random.key(1), batch)
    told = {}
    for weight in (0.0, 1.0):
        weighed = replace(gan, course=replace(gan.course, penalty_weight=weight))
        told[weight] = jax.jit(weighed.step)(state, batch, jax.random.key(0))[1]["d_loss"]
    params = {"params": state.discriminator.params}

    @jax.jit
    def slopes(real):
        """Of logits with respect to each of the six images."""
        judge = config.networks.discriminator((8, 8, 4)).apply
        factor, seen = (times, real) if images == "made" else (1.0, times * real)
        return jax.grad(lambda x: judge(params, beside(factor * x)).sum())(seen)

    squares = np.square(slopes(to_model_range(batch["image"]))).sum(axis=(1, 2, 3))
    # Of three packs, each with the sum of its two.
    np.testing.assert_allclose(told[1.0] - told[0.0], 0.5 * squares.sum() / 3, rtol=2e-3)


def test_packs_go_with_all_parts_of_a_recipe():
    """Two updates, each of two parts of one pack: penalties, signs and gradients by hand."""
    config = replace(
        CONFIG,
        batch_size=8,
        optimizer=Optimizer(rule=sgd, learning_rate=0.1),
        loss=losses.non_saturating_r1,
        penalty=Penalty(every=3, images="made"),
        penalty_weight=0.5,
        updates=Updates(discriminator=2, parts=2),
        augmenting=Augmenting(target=0.6, every=2),  # of no augmentation: nothing but its signs
        average_decay=0.9,
    )
    check(config)
    gan = config.gan(replace(ABOUT, examples=8))
    pixels = np.random.default_rng(0).integers(256, size=(8, *SHAPE), dtype=np.uint8)
    batch = {"image": pixels, "label": np.zeros(8, np.int32)}
    state = jax.jit(gan.init)(jax.random.key(1), batch)
    new, metrics = jax.jit(gan.step)(state, batch, jax.random.key(7))

    judge = config.networks.discriminator((8, 8, 4)).apply
    make = config.networks.generator(SHAPE).apply

    def objective(params, real, key):
        noise = jax.random.uniform(key, (2, 5), minval=-1, maxval=1)
        fake = beside(make({"params": state.generator.params}, noise))
        real_logit, fake_logit = judge({"params": params}, real), judge({"params": params}, fake)
        gradient = jax.grad(lambda x: judge({"params": params}, x).sum())(real)
        penalty = 3 * 0.5 * 0.5 * jnp.square(gradient).sum()
        loss = (jax.nn.softplus(-real_logit) + jax.nn.softplus(fake_logit)).mean()
        return loss + penalty, (loss, jnp.sign(real_logit).mean())

    slope = jax.jit(jax.grad(objective, has_aux=True))
    key_d, _ = jax.random.split(jax.random.key(7))
    params, told = state.discriminator.params, []
    for index in range(2):
        key, slopes = jax.random.fold_in(key_d, index), []
        for part in range(2):
            first = 4 * index + 2 * part
            real = beside(to_model_range(pixels[first : first + 2]))
            found, aside = slope(params, real, jax.random.fold_in(key, part))
            slopes.append(found)
            told.append(aside)
        params = jax.tree.map(lambda p, a, b: p - 0.1 * (a + b) / 2, params, *slopes)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, 2e-4, 2e-6), new.discriminator.params, params
    )
    loss, sign = np.mean(told, axis=0)
    np.testing.assert_allclose(metrics["d_loss"], loss, rtol=1e-4)
    np.testing.assert_allclose(new.course["signs"], sign, atol=1e-6)
    assert int(new.average["count"]) == int(new.course["steps"]) == 1


def test_replicas_of_batch_statistics_in_packs_are_each_its_own():
    config = replace(
        CONFIG,
        batch_size=8,
        networks=PacGAN(generator_channels=(3,), discriminator_channels=(2, 2)),
        loss=losses.non_saturating_r1,
        augmentation=augmentation.diff_translation,
        augmenting=Augmenting(strength=0.5),
        burn_in=BurnIn(3, penalty_weight=0.1, average_decay=0.9),
        penalty=Penalty(every=2, images="made"),
        updates=Updates(parts=2),
        optimizer=Optimizer(rule=sgd, learning_rate=0.01),
    )
    gan = config.gan(AboutImages((8, 8, 1), classes=3, examples=8))
    pixels = np.random.default_rng(0).integers(256, size=(8, 8, 8, 1), dtype=np.uint8)
    batch = {"image": pixels, "label": np.arange(8) % 3}
    states = jax.jit(jax.vmap(gan.init, (0, None)))(jax.random.split(jax.random.key(1)), batch)
    states = states.replace(course={"steps": jnp.int32([0, 1])})
    keys = jax.random.split(jax.random.key(3))
    step = jax.jit(jax.vmap(gan.step, (0, None, 0)))
    together, metrics = step(states, batch, keys)
    assert all(np.isfinite(value).all() for value in metrics.values())
    for index in range(2):
        # Beside itself a replica is what it was beside the other.
        own, found = (jax.tree.map(lambda x: x[index], s) for s in (states, together))  # noqa: B023
        twice = jax.tree.map(lambda x: jnp.stack([x, x]), own)
        beside_itself, _ = step(twice, batch, keys[jnp.array([index, index])])
        for place in range(2):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b[place], 1e-5, 1e-6),  # noqa: B023
                found,
                beside_itself,
            )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "packing 4 does not divide batch_size 6: give a batch of a multiple of 4"),
        (
            {"batch_size": 12, "updates": Updates(discriminator=3, parts=2)},
            "packing 4 does not divide batch_size 12 in 6 parts, updates.discriminator times "
            "updates.parts: give a batch of a multiple of 24",
        ),
    ],
)
def test_packs_that_do_not_divide_what_is_judged_are_refused(changes, sentence):
    with pytest.raises(JaxgenError, match=sentence):
        check(replace(CONFIG, packing=4, **changes))
