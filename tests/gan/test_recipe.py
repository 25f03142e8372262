"""A step with parts of recipes, against steps without them and against sums by hand."""

from dataclasses import replace
from functools import partial

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.gan import augmentation, losses
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.recipe import Augmenting, BurnIn, Penalty, Updates
from jaxgen.settings import check
from jaxgen.training import configs
from jaxgen.training.optimizers import Optimizer, sgd

SHAPE = (8, 8, 1)
ABOUT = AboutImages(SHAPE, classes=3, examples=8)
# Without batch norm: the mean gradient of two halves is that of the whole.
PLAIN = GanConfig(
    workdir="",
    steps=4,
    batch_size=8,
    noise_size=3,
    networks=MLP(generator_hidden=(6,), discriminator_hidden=(5,)),
    loss=losses.non_saturating_r1,
    optimizer=Optimizer(sgd, learning_rate=0.1),
)
ALL = replace(
    PLAIN,
    networks=MLP(generator_hidden=(6,), generator_normalized=(0,), discriminator_hidden=(5,)),
    conditional=True,
    optimizer=Optimizer(learning_rate=1e-2, b1=0.0, b2=0.9),
    penalty=Penalty(every=2, images="made"),
    updates=Updates(discriminator=2, parts=2, discriminator_rate=2.0),
    augmentation=augmentation.diff_translation,
    augmenting=Augmenting(strength=0.5, target=0.6, images=100, every=2),
    burn_in=BurnIn(3, 1e-3, 0.99, 0.1, 0.9, None),
)


def batch(n=8):
    pixels = np.random.default_rng(0).integers(0, 256, (n, *SHAPE)).astype(np.uint8)
    return {"image": pixels, "label": np.arange(n, dtype=np.int32) % 3}


def begun(config):
    gan = config.gan(ABOUT)
    return gan, gan.init(jax.random.key(1), batch()), jax.jit(gan.step)


def moved(before, after):
    return [
        np.asarray(b - a)
        for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    ]


def close(found, right, **options):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **options), found, right)


def test_a_lazy_penalty_is_a_larger_one_and_then_none():
    _, state, lazy = begun(replace(PLAIN, penalty=Penalty(every=2)))
    plain = {weight: begun(replace(PLAIN, penalty_weight=weight))[2] for weight in (2.0, 0.0)}
    without = state.replace(course=None)
    for index, weight in enumerate((2.0, 0.0, 2.0)):
        key = jax.random.key(index)
        found, metrics = lazy(state.replace(course={"steps": jnp.int32(index)}), batch(), key)
        right, _ = plain[weight](without, batch(), key)
        close(found.discriminator.params, right.discriminator.params, atol=1e-6)
        _, unpenalised = plain[0.0](without, batch(), key)
        np.testing.assert_allclose(metrics["d_loss"], unpenalised["d_loss"], rtol=1e-5)
    assert int(found.course["steps"]) == 3


def test_the_penalty_is_of_images_before_or_after_the_augmentation():
    """Where images are doubled, the gradient with respect to what they were is twice as long."""
    doubled = augmentation.Augmentation(lambda images, key: 2 * images)
    losses_of = {}
    for images in ("made", "seen"):
        for weight in (0.0, 1.0):
            config = replace(
                PLAIN, augmentation=doubled, penalty=Penalty(images=images), penalty_weight=weight
            )
            _, state, step = begun(config)
            losses_of[images, weight] = step(state, batch(), jax.random.key(0))[1]["d_loss"]
    of = {images: losses_of[images, 1.0] - losses_of[images, 0.0] for images in ("made", "seen")}
    np.testing.assert_allclose(of["made"], 4 * of["seen"], rtol=1e-3)


def test_parts_have_the_mean_gradient():
    gan, state, step = begun(replace(PLAIN, loss=losses.hinge, updates=Updates(parts=2)))
    found, metrics = step(state, batch(), jax.random.key(5))
    key_d, key_g = jax.random.split(jax.random.key(5))
    halves = [{name: x[rows] for name, x in batch().items()} for rows in (slice(4), slice(4, 8))]
    now = gan.course.now(None)

    @partial(jax.jit, static_argnums=0)
    def mean(gradient, state, key):
        both = [
            gradient(state, jnp.asarray(half["image"]) / 127.5 - 1, None, own, now)
            for half, own in zip(halves, (jax.random.fold_in(key, i) for i in (0, 1)), strict=True)
        ]
        return jax.tree.map(lambda a, b: (a + b) / 2, both[0][1:], both[1][1:])

    gradient, of_d = mean(gan._discriminator_gradient, state, key_d)
    d_params = jax.tree.map(lambda p, g: p - 0.1 * g, state.discriminator.params, gradient)
    close(found.discriminator.params, d_params, atol=1e-5)
    new = state.replace(discriminator=state.discriminator.replace(params=d_params))
    gradient, of_g = mean(gan._generator_gradient, new, key_g)
    g_params = jax.tree.map(lambda p, g: p - 0.1 * g, state.generator.params, gradient)
    close(found.generator.params, g_params, atol=1e-5)
    for name in ("d_loss", "g_loss"):
        np.testing.assert_allclose(metrics[name], (of_d | of_g)[name], rtol=1e-4)


def test_several_discriminator_updates_divide_the_batch():
    config = replace(PLAIN, updates=Updates(discriminator=2), optimizer=Optimizer(b1=0.5))
    gan, state, step = begun(config)
    found, metrics = step(state, batch(), jax.random.key(5))
    assert [int(n.optimizer[0].count) for n in (found.discriminator, found.generator)] == [2, 1]
    key_d, _ = jax.random.split(jax.random.key(5))
    now, told = gan.course.now(None), []
    for index, rows in enumerate((slice(4), slice(4, 8))):
        real = jnp.asarray(batch()["image"][rows]) / 127.5 - 1
        own = jax.random.fold_in(key_d, index)
        state, one = gan._update_discriminator(state, (real, None), own, now)
        told.append(one["d_loss"])
    close(found.discriminator.params, state.discriminator.params, atol=2e-5)
    np.testing.assert_allclose(metrics["d_loss"], np.mean(told), rtol=1e-4)


def test_the_discriminators_rate_is_a_multiple():
    adam = Optimizer(learning_rate=1e-3, b1=0.0)
    _, state, step = begun(replace(PLAIN, optimizer=adam, updates=Updates(discriminator_rate=4.0)))
    new, _ = step(state, batch(), jax.random.key(0))
    for network, rate in (("discriminator", 4e-3), ("generator", 1e-3)):
        steps = moved(getattr(state, network).params, getattr(new, network).params)
        np.testing.assert_allclose(max(np.abs(step).max() for step in steps), rate, rtol=1e-2)


def test_rates_fall_with_steps_also_where_updates_are_several():
    config = replace(PLAIN, burn_in=BurnIn(2, learning_rate=0.0), updates=Updates(discriminator=2))
    _, state, step = begun(config)
    for index, moves in enumerate((True, True, False)):
        new, _ = step(state, batch(), jax.random.key(index))
        for network in ("discriminator", "generator"):
            steps = moved(getattr(state, network).params, getattr(new, network).params)
            assert any(np.abs(one).max() > 1e-7 for one in steps) is moves
        state = new


def test_all_of_it_goes_on_bit_for_bit_and_reports_the_strength():
    gan, state, step = begun(ALL)
    states, strengths = [state], []
    for index in range(5):
        state, metrics = step(state, batch(), jax.random.key(index))
        states.append(state)
        strengths.append(float(metrics["strength"]))
        assert all(np.isfinite(value) for value in metrics.values())
        assert "sign" not in metrics
    assert strengths[0] == strengths[1] == 0.5
    assert strengths[2] != 0.5
    saved = jax.tree.map(np.asarray, flax.serialization.to_state_dict(states[2]))
    state = flax.serialization.from_state_dict(jax.eval_shape(lambda: states[0]), saved)
    for index in range(2, 5):
        state, _ = step(state, batch(), jax.random.key(index))
    jax.tree.map(np.testing.assert_array_equal, state, states[-1])
    assert gan.course.has_average
    assert int(state.average["count"]) == 5


def test_replicas_in_one_batch_are_each_its_own():
    gan, state, step = begun(
        replace(PLAIN, penalty=Penalty(every=2), burn_in=BurnIn(3, None, None, 0.1, 0.9))
    )
    keys = jax.random.split(jax.random.key(3), 2)
    states = jax.tree.map(lambda x: jnp.stack([x, 1.1 * x if x.ndim else x]), state)
    # One of them has taken a step more, so that its penalty is not due.
    states = states.replace(course={"steps": jnp.int32([0, 1])})
    together, _ = jax.jit(jax.vmap(gan.step, (0, None, 0)))(states, batch(), keys)
    for index in range(2):
        own = jax.tree.map(lambda x: x[index], states)  # noqa: B023
        alone, _ = step(own, batch(), keys[index])
        close(jax.tree.map(lambda x: x[index], together), alone, rtol=1e-4, atol=1e-6)  # noqa: B023


def test_checkpoints_that_know_no_course_are_read():
    _, state, _ = begun(PLAIN)
    saved = flax.serialization.to_state_dict(state)
    assert saved["course"] is None
    del saved["course"]
    shapes = jax.eval_shape(lambda: state)
    assert flax.serialization.from_state_dict(shapes, saved).course is None


def test_configurations_that_know_no_recipe_are_read():
    written = configs.to_json(PLAIN)
    for name in ("penalty", "updates", "augmenting", "burn_in"):
        del written[name]
    assert configs.from_json(written, GanConfig) == PLAIN
    assert configs.from_json(configs.to_json(ALL), GanConfig) == ALL


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"updates": Updates(3)}, r"batch_size 8 cannot be divided into 3 parts, updates"),
        ({"burn_in": BurnIn(2, b2=0.9)}, r"burn_in.b2 is of optimizer.rule adam only"),
        (
            {"augmenting": Augmenting(target=0.6), "burn_in": BurnIn(2, strength=0.5)},
            "augmenting.target and burn_in.strength both move",
        ),
        ({"augmenting": Augmenting(strength=1.5)}, r"augmenting.strength must be in \[0, 1\]"),
        ({"penalty": Penalty(images="both")}, r"penalty.images must be 'made' or 'seen'"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, sentence):
    with pytest.raises(JaxgenError, match=sentence):
        check(replace(PLAIN, **changes))
