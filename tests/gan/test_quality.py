"""What is said while a GAN trains: pictures, figures and alarms."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxgen.data.images.base import load_images, to_unit_range
from jaxgen.data.images.stored import StoredImages
from jaxgen.errors import JaxgenError
from jaxgen.gan import losses
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.step import weights
from jaxgen.settings import memory
from jaxgen.training import experiment

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
    whole = load_images(CONFIG.data)
    return {name: array[::25] for name, array in whole.items()}


def quality_and_weights(config, real):
    about = AboutImages(real["image"].shape[1:], classes=10, examples=len(real["image"]))
    state = jax.jit(config.gan(about).init)(jax.random.key(0), real)
    return config._quality(about, StoredImages.of(real)), weights(state)


def history(**columns):
    rising = np.linspace(0.5, 1.5, 10)
    return {"d_loss": rising, "g_loss": rising} | {k: np.asarray(v) for k, v in columns.items()}


def test_alarms_say_what_is_wrong(real):
    quality, _ = quality_and_weights(CONFIG, real)
    assert quality.alarms(history()) == []
    assert quality.alarms(history(diversity=[0.9])) == []
    (saturated,) = quality.alarms(history(d_loss=np.linspace(0.02, 0.002, 10)))
    assert "saturated" in saturated
    (frozen,) = quality.alarms(history(d_loss=np.full(10, 1.3), g_loss=np.full(10, 0.7)))
    assert "do not move" in frozen
    for fell in ([0.9, 0.1], [0.1] * 20, [0.1, 0.7, 0.9, 0.3]):
        (collapsed,) = quality.alarms(history(diversity=fell))
        assert "collapsed" in collapsed
    # The last one is a vanilla GAN's, seed 7, from step 50 to 550; it had 0.89 at step 2,000.
    wavering = [0.1, 0.13, 0.18, 0.23, 0.55, 0.47, 0.57, 0.37, 0.51, 0.55, 0.42]
    for rising in ([0.1], [0.1, 0.2, 0.4], [0.1] * 19 + [0.6], wavering):
        assert quality.alarms(history(diversity=rising)) == []
    wasserstein, _ = quality_and_weights(replace(CONFIG, loss=losses.wasserstein_gp), real)
    assert wasserstein.alarms(history(d_loss=np.linspace(-3, -2, 10))) == []


def test_a_generator_that_makes_one_image_is_not_diverse(real):
    quality, made = quality_and_weights(CONFIG, real)
    assert quality.show(made).picture.shape == (8 * 30 + 2, 8 * 30 + 2)
    one = made._replace(params=jax.tree.map(lambda x: 0 * x, made.params))
    assert quality.watch(one)()["diversity"] < 1e-3 < quality.watch(made)()["diversity"]


def test_conditional_pictures_have_a_row_for_each_class(real):
    config = replace(CONFIG, conditional=True)
    quality, made = quality_and_weights(config, real)
    shown = quality.show(made)
    assert shown.picture.shape == (280, 280)
    images = quality._sampler.sample(made, 100, 0, np.repeat(np.arange(10), 10))
    cell = to_unit_range(images[23, :, :, 0]) * 255  # row 2, column 3
    np.testing.assert_allclose(shown.picture[56:84, 84:112], cell, atol=0.51)


def test_figures_of_images_that_no_classifier_knows_are_refused_at_once(real):
    colours = {"image": np.repeat(real["image"], 3, axis=3), "label": real["label"]}
    quality, made = quality_and_weights(CONFIG, colours)
    for ask in (lambda: quality.evaluate(made), quality.check_measurable):
        with pytest.raises(JaxgenError, match=r"28x28 pixels and 3 channels .* only of 28x28 grey"):
            ask()
    assert quality.watch(made)()["diversity"] > 0


def test_collapse_is_seen_however_often_pictures_are_drawn(real, tmp_path, capsys):
    """A generator that never learns is still the same few images after twenty log lines."""
    networks = MLP(generator_hidden=(1,), discriminator_hidden=(4,))
    for sample_every in (0, 2, 50):
        config = replace(
            CONFIG,
            networks=networks,
            steps=50,
            log_every=2,
            sample_every=sample_every,
            workdir=str(tmp_path / str(sample_every)),
        )
        experiment.train(config)
        assert "warning: step 40: samples differ less than 50%" in capsys.readouterr().err


def test_figures_are_beside_their_floor(real):
    quality, made = quality_and_weights(replace(CONFIG, conditional=True), real)
    report = quality.report(made)
    assert report["fid"]["matched"] > 4 * report["fid"]["floor"]  # untrained: noise
    assert report["classifier"] == "digits"
    figures = quality.evaluate(made)
    assert figures["fid"] == report["fid"]["value"]
    assert 0 <= figures["label_agreement"] <= 0.5


@pytest.mark.parametrize(
    ("image", "label", "figure"),
    [
        (np.full((40, 28, 28, 1), 7), np.zeros(40), False),  # all equal
        (np.arange(40 * 784) % 251, np.zeros(40), True),  # one class
        (np.arange(40 * 784) % 251, np.where(np.arange(40) < 20, 0, 9), True),  # classes missing
        (np.arange(40 * 784) % 251, np.where(np.arange(40) < 1, 1, 0), True),  # a class of one
    ],
)
def test_odd_data_never_end_a_training(image, label, figure):
    real = {
        "image": np.uint8(np.reshape(image, (40, 28, 28, 1))),
        "label": label.astype(np.int32),
    }
    for conditional in (False, True):
        about = AboutImages((28, 28, 1), classes=int(label.max()) + 1, examples=40)
        config = replace(CONFIG, conditional=conditional)
        state = jax.jit(config.gan(about).init)(jax.random.key(0), real)
        quality = config._quality(about, StoredImages.of(real))
        assert quality.show(weights(state)).picture.size
        assert ("diversity" in quality.watch(weights(state))()) == figure


def test_too_few_images_to_measure_are_told_before_training(real):
    few = {name: array[:7] for name, array in real.items()}
    for config, some in ((CONFIG, few), (replace(CONFIG, evaluate_samples=3), real)):
        quality, _ = quality_and_weights(config, some)
        with pytest.raises(JaxgenError, match="are too few to measure: give at least 8 and 4"):
            quality.check_measurable()


def test_more_samples_than_memory_holds_are_refused(real, monkeypatch):
    quality, drawn = quality_and_weights(CONFIG, real)
    monkeypatch.setattr(memory, "free", lambda: 1000)
    with pytest.raises(JaxgenError, match=r"measuring 40 samples would .* evaluate_samples"):
        quality.evaluate(drawn)


def test_of_a_large_set_a_sample_is_read_once(real, monkeypatch):
    asked = []

    def read(place_K):
        asked.append(len(place_K))
        return real["image"][place_K]

    stored = StoredImages((28, 28, 1), real["label"], read=read)
    monkeypatch.setattr("jaxgen.gan.quality.MOST_BYTES", 100 * 784)
    about = AboutImages((28, 28, 1), classes=10, examples=len(real["image"]))
    for config in (CONFIG, replace(CONFIG, conditional=True)):
        asked.clear()
        state = jax.jit(config.gan(about).init)(jax.random.key(0), real)
        figures = []
        for images in (stored, StoredImages.of(real)):
            quality = config._quality(about, images)
            for _ in range(2):
                made = weights(state)
                figures.append(quality.watch(made)() | quality.evaluate(made))
        assert figures[0] == figures[1] == figures[2] == figures[3]
        assert sum(asked) <= 200 and len(asked) == 1 + max(1, quality._sampler.classes)
