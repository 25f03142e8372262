"""What `jaxgen.load` gives of a GAN's run: samples, interpolation, agreement by class."""

import os
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from flax.serialization import to_state_dict

import jaxgen
from jaxgen.errors import JaxgenError
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.noise import normal
from jaxgen.gan.trained import TrainedGan
from jaxgen.metrics.samples import classifier
from jaxgen.training import configs
from jaxgen.training.task import CanSample, Saved

pytestmark = pytest.mark.early

ABOUT = {"image_shape": [28, 28, 1], "classes": 10, "examples": 8}
SMALL = GanConfig(
    workdir="",
    steps=1,
    batch_size=8,
    noise_size=5,
    conditional=True,
    networks=MLP(generator_hidden=(6, 7), generator_normalized=(0, 1), discriminator_hidden=(5,)),
)


def restored(config: GanConfig) -> TrainedGan:
    gan = config.gan(AboutImages((28, 28, 1), 10, 8))
    state = jax.jit(gan.init)(jax.random.key(1), {})
    return config.restored(Saved(to_state_dict(state), ABOUT))


def test_labels_are_checked_and_rows_interpolate():
    model = restored(SMALL)
    assert isinstance(model, CanSample)
    assert model.sample(labels=[3, 4]).shape == (2, 28, 28, 1)
    for labels, words in (([10], "from 0 to 9"), ([0.5], "whole numbers"), ([-1], "from 0 to 9")):
        with pytest.raises(JaxgenError, match=words):
            model.sample(labels=labels)
    with pytest.raises(JaxgenError, match="not conditional"):
        restored(replace(SMALL, conditional=False)).sample(labels=[1])
    path = model.interpolate(seed=2, rows=2, columns=5)
    assert path.shape == (10, 28, 28, 1)
    ends = model._sampler.draw_noise(4, 2)[:4]
    exact = model._sampler.sample_from(model._weights, ends[[0, 1]], np.array([0, 0]))
    np.testing.assert_allclose(path[[0, 4]], exact, atol=1e-5)


def test_truncation_shrinks_the_noise_and_nothing_else():
    model = restored(SMALL)
    labels = [3, 4, 5]
    sampler, weights = model._sampler, model._weights
    noise = sampler.draw_noise(3, 7)[:3]
    halved = sampler.sample_from(weights, noise / 2, np.array(labels))
    np.testing.assert_allclose(
        model.sample(seed=7, labels=labels, truncation=0.5), halved, atol=1e-6
    )
    whole = model.sample(seed=7, labels=labels)
    np.testing.assert_array_equal(model.sample(seed=7, labels=labels, truncation=1.0), whole)
    assert np.abs(halved - whole).max() > 1e-4
    with pytest.raises(JaxgenError, match="at most 1"):
        model.sample(truncation=1.5)
    narrow = model.interpolate(seed=2, rows=1, columns=3, truncation=0.5)
    assert np.abs(narrow - model.interpolate(seed=2, rows=1, columns=3)).max() > 1e-4
    assert model.most_truncation == 1
    assert restored(replace(SMALL, noise=normal)).most_truncation == float("inf")


def test_a_walk_stops_at_the_first_samples_and_comes_back():
    model = restored(SMALL)
    walk = model.walk(seed=2, stops=3, steps=4, labels=[5, 0], truncation=0.8)
    assert walk.shape == (12, 2, 28, 28, 1)
    noise = model._sampler.draw_noise(3, 2)[:3] * np.float32(0.8)
    for column, label in enumerate((5, 0)):
        stops = model._sampler.sample_from(model._weights, noise, np.full(3, label))
        np.testing.assert_allclose(walk[::4, column], stops, atol=1e-5)
    half = (noise[2] + noise[0]) / 2  # on the way back
    again = model._sampler.sample_from(model._weights, half[None], np.array([5]))
    np.testing.assert_allclose(walk[10, 0], again[0], atol=1e-5)
    spherical = model.walk(
        seed=2, stops=3, steps=4, labels=[5, 0], walk="spherical", truncation=0.8
    )
    np.testing.assert_allclose(spherical[::4], walk[::4], atol=1e-5)
    assert np.abs(spherical - walk).max() > 1e-4
    assert model.walk(stops=2, steps=1).shape == (2, 1, 28, 28, 1)
    with pytest.raises(JaxgenError, match="stops must be at least 2"):
        model.walk(stops=1)


def test_module_and_params_make_the_samples():
    model = restored(SMALL)
    noise = model._sampler.draw_noise(1, 0)[:1]
    variables = {"params": model.params, "batch_stats": model._weights.stats}
    label = np.eye(10, dtype=np.float32)[[4]]
    made = model.module.apply(variables, noise, label, train=False)
    np.testing.assert_allclose(made, model.sample(seed=0, labels=[4]), atol=1e-6)
    assert model.history == {}


def test_clusters_are_numbers_that_nobody_has_to_give():
    config = replace(SMALL, conditional=False, clusters=3)
    about = AboutImages((28, 28, 1), 10, 8, cluster_sizes=(1, 5, 2))
    state = jax.jit(config.gan(about).init)(jax.random.key(1), {})
    model = config.restored(Saved(to_state_dict(state), configs.to_json(about, AboutImages)))
    assert (model.classes, model.clusters) == (0, 3)
    drawn = model.sample(seed=2, n=8)
    labels = model._sampler.turns(0, 8)
    np.testing.assert_array_equal(drawn, model.sample(seed=2, labels=labels))
    np.testing.assert_array_equal(drawn, model.generate(model.noise(8, 2)))
    with pytest.raises(JaxgenError, match="from 0 to 2"):
        model.sample(labels=[3])
    assert model.interpolate_classes(0, 2, rows=1, columns=3).shape == (3, 28, 28, 1)
    with pytest.raises(JaxgenError, match="give one of them"):
        replace(config, conditional=True).check_together()


def test_what_is_saved_must_be_a_gan():
    with pytest.raises(JaxgenError, match="checkpoint of step 7 does not hold a GAN"):
        SMALL.restored(Saved({"params": {}}, ABOUT, step=7))
    with pytest.raises(JaxgenError, match="'classes' of AboutImages is missing"):
        SMALL.restored(Saved({}, {"image_shape": [28, 28, 1], "examples": 3}))


# Conditional experiments, and the least share of their samples that is seen as the class asked for.
LEAST = {"conditional_dcgan": 0.96, "conditional_gan": 0.9}


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Both conditional experiments, the convolutional one as by default."""
    folder = tmp_path_factory.mktemp("conditional")
    # In processes of their own, for the tests' XLA does not optimise.
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    for name in LEAST:
        command = [sys.executable, "-m", f"experiments.{name}", "--workdir", str(folder / name)]
        subprocess.run(command, check=True, env=environment, capture_output=True)
    return {str(folder / name): least for name, least in LEAST.items()}


def agreement(images, labels):
    _, logits = classifier.load("digits").features_and_logits(images)
    return float((logits.argmax(1) == labels).mean())


@pytest.mark.slow
def test_every_way_of_asking_for_classes_gets_them(trained, tmp_path):
    """`labels=` of one class, sorted and mixed, the command's arrays and pictures, the figures."""
    for workdir, least in trained.items():
        model = jaxgen.load(workdir)
        for digit in range(10):
            labels = np.full(64, digit)
            assert agreement(model.sample(labels=labels), labels) > least - 0.15, digit
        for labels in (np.repeat(np.arange(10), 64), np.arange(640) % 10):
            assert agreement(model.sample(labels=labels), labels) > least
        out = tmp_path / "samples.npz"
        command = [sys.executable, "-m", "jaxgen", "sample", workdir, "--n", "640", "--out", out]
        subprocess.run(command, check=True)
        with np.load(out) as file:
            assert agreement(file["images"], file["labels"]) > least
        assert model.evaluate()[0]["label_agreement"]["value"] > least
        shown = model._quality._shown_samples(model._weights, model.config.seed)
        assert agreement(shown, np.repeat(np.arange(10), 10)) > least - 0.05
        shown = model.interpolate(rows=10, columns=10)
        assert agreement(shown[::10], np.arange(10)) >= 0.8
