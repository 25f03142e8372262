"""What is said while a GAN trains: pictures, figures and alarms."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxgen.data.images import base as images
from jaxgen.errors import JaxgenError
from jaxgen.gan import losses
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.quality import Judge
from jaxgen.gan.step import Gan, GanConfig

CONFIG = GanConfig(
    workdir="",
    steps=1,
    batch_size=20,
    noise_size=4,
    networks=MLP(generator_hidden=(8,), discriminator_hidden=(4,)),
    evaluate_samples=40,
)


@pytest.fixture(scope="module")
def real():
    """200 digits of the embedded set, 20 of each class."""
    whole = images.load(CONFIG.data)["train"]
    return {name: array[::25] for name, array in whole.items()}


def judge_and_state(config, real):
    gan = Gan(config, (28, 28, 1))
    return Judge(gan, real), jax.jit(gan.init)(jax.random.key(0), real)


def history(**columns):
    rising = np.linspace(0.5, 1.5, 10)
    return {"d_loss": rising, "g_loss": rising} | {k: np.asarray(v) for k, v in columns.items()}


def test_alarms_say_what_is_wrong(real):
    judge, _ = judge_and_state(CONFIG, real)
    assert judge.alarms(history()) == []
    assert judge.alarms(history(diversity=[0.9])) == []
    (saturated,) = judge.alarms(history(d_loss=np.linspace(0.02, 0.002, 10)))
    assert "saturated" in saturated
    (frozen,) = judge.alarms(history(d_loss=np.full(10, 1.3), g_loss=np.full(10, 0.7)))
    assert "do not move" in frozen
    (collapsed,) = judge.alarms(history(diversity=[0.9, 0.1]))
    assert "collapsed" in collapsed
    wasserstein, _ = judge_and_state(replace(CONFIG, loss=losses.wasserstein_gp), real)
    assert wasserstein.alarms(history(d_loss=np.linspace(-3, -2, 10))) == []


def test_a_generator_that_makes_one_image_is_not_diverse(real):
    judge, state = judge_and_state(CONFIG, real)
    assert judge.show(state).picture.shape == (8 * 30 + 2, 8 * 30 + 2)
    one = jax.tree.map(lambda x: 0 * x, state.generator.params)
    shown = judge.show(state.replace(generator=state.generator.replace(params=one)))
    assert shown.metrics["diversity"] < 1e-3


def test_conditional_pictures_have_a_row_for_each_class(real):
    config = replace(CONFIG, conditional=True)
    judge, state = judge_and_state(config, real)
    shown = judge.show(state)
    assert shown.picture.shape == (280, 280)
    made = judge._gan.sample(judge._gan.weights(state), 100, 0, np.repeat(np.arange(10), 10))
    cell = images.to_unit_range(made[23, :, :, 0]) * 255  # row 2, column 3
    np.testing.assert_allclose(shown.picture[56:84, 84:112], cell, atol=0.51)


def test_figures_of_images_that_no_classifier_knows_are_refused_at_once(real):
    colours = {"image": np.repeat(real["image"], 3, axis=3), "label": real["label"]}
    shape = (28, 28, 3)
    judge = Judge(Gan(CONFIG, shape), colours)
    with pytest.raises(JaxgenError, match=r"28x28 pixels and 3 channels .* only of 28x28 grey"):
        judge.evaluate(jax.jit(judge._gan.init)(jax.random.key(0), colours))
    with pytest.raises(JaxgenError, match="without --evaluate-every"):
        Judge(Gan(replace(CONFIG, evaluate_every=1), shape), colours)


def test_figures_are_beside_their_floor(real):
    judge, state = judge_and_state(replace(CONFIG, conditional=True), real)
    report = judge.report(judge._gan.weights(state))
    assert report["fid"]["matched"] > 4 * report["fid"]["floor"]  # untrained: noise
    assert report["classifier"] == "digits"
    figures = judge.evaluate(state)
    assert figures["fid"] == report["fid"]["value"]
    assert 0 <= figures["label_agreement"] <= 0.5
