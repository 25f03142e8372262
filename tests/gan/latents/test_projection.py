"""A picture is found in a generator's input."""

import dataclasses

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.gan.latents.projection import Projection, project
from jaxgen.gan.latents.search import Search
from tests.gan.latents.conftest import restored

SEARCH = Search(restarts=4, steps=150, learning_rate=0.2)
SHORT = dataclasses.replace(SEARCH, steps=12)


def test_an_image_of_the_generator_is_found_again_with_its_noise(model):
    noise = model.noise(3, seed=7)
    made = model.generate(noise)
    found = model.project(made, search=SEARCH, features="none")
    assert found.distance.max() < 0.01
    assert (found.distance < found.at_random / 10).all()
    np.testing.assert_allclose(found.noise, noise, atol=0.05)
    np.testing.assert_allclose(model.generate(found.noise), found.images, atol=1e-6)
    assert found.labels is None
    assert found.feature_distance is None
    # The way leads from a random sample to what was found, and never away from the picture.
    assert found.way.shape == (3, 9, 16, 16, 1)
    np.testing.assert_array_equal(found.steps[[0, -1]], [0, 150])
    np.testing.assert_array_equal(found.way[:, -1], found.images)
    on_the_way = np.sqrt(((found.way - made[:, None]) ** 2).mean((2, 3, 4))) / 2
    np.testing.assert_allclose(on_the_way[:, -1], found.distance, rtol=1e-4)
    assert (np.diff(on_the_way, axis=1) < 1e-5).all()


def test_what_is_found_is_what_the_noise_might_have_been(model, conditional):
    far = np.ones((2, 16, 16, 1), np.float32)
    far[1, ::2] = -1
    found = model.project(far, search=SHORT, features="none")
    assert np.abs(found.noise).max() <= 1
    found = conditional.project(far, search=SHORT, features="none")
    lengths = np.linalg.norm(found.noise, axis=1)
    assert (lengths > 0.6).all()  # 99 % of normal noise of 6 numbers
    assert (lengths < 4.35).all()


def test_the_class_is_found_or_given(conditional):
    noise, labels = conditional.noise(4, seed=5), np.array([2, 0, 1, 2])
    made = conditional.generate(noise, labels)
    found = conditional.project(made, search=SEARCH, features="none")
    np.testing.assert_array_equal(found.labels, labels)
    assert found.distance.max() < 0.02
    asked = conditional.project(made, [1, 0, 2, 2], SEARCH, features="none")
    np.testing.assert_array_equal(asked.labels, [1, 0, 2, 2])
    assert (asked.distance[[0, 2]] > asked.distance[[1, 3]].max()).all()


def test_a_picture_is_found_alone_as_among_others_and_in_blocks(monkeypatch, conditional):
    pictures = conditional.generate(conditional.noise(5, seed=2), [0, 1, 2, 0, 1])
    among = conditional.project(pictures, search=SHORT, features="none", stages=2)
    alone = conditional.project(pictures[[3]], search=SHORT, features="none", stages=2)
    monkeypatch.setattr("jaxgen.gan.latents.projection._ROWS", 4)  # one picture a block
    in_blocks = conditional.project(pictures, search=SHORT, features="none", stages=2)
    for found, index in ((alone, slice(3, 4)), (in_blocks, slice(None))):
        np.testing.assert_allclose(found.noise, among.noise[index], atol=1e-4)
        np.testing.assert_allclose(found.way, among.way[index], atol=1e-3)
        np.testing.assert_array_equal(found.labels, among.labels[index])


def test_images_of_residual_networks_are_found_again(residual):
    sampler, weights, _ = residual
    made = sampler.sample_from(weights, sampler.draw_noise(1, 7)[:1], np.array([1]))
    found = project(Projection(sampler, SEARCH, None), weights, made, np.array([1]), stages=2)
    assert found.distance[0] < found.at_random[0] / 3


def test_features_are_compared_where_a_classifier_knows_the_images():
    model = restored(about=(28, 28, 1))
    picture = np.full((1, 28, 28), 0, np.uint8)
    picture[:, 5:23, 13:16] = 255
    search = dataclasses.replace(SHORT, feature_weight=1.0)
    by_both = model.project(picture, search=search, features="digits")
    by_pixels = model.project(picture, search=SHORT, features="none")
    assert by_both.feature_distance[0] > 0
    assert not np.array_equal(by_both.noise, by_pixels.noise)
    assert by_both.images.shape == (1, 28, 28, 1)


def test_a_negative_is_known(model):
    made = model.generate(model.noise(2, seed=3))
    assert list(model.project(made, search=SHORT, features="none").negative) == [False, False]
    assert list(model.project(-made, search=SHORT, features="none").negative) == [True, True]


def test_what_cannot_be_projected_is_refused(capsys, model, conditional):
    image = np.zeros((1, 16, 16, 1), np.float32)
    for wrong, words in (
        (np.zeros((1, 28, 28, 1), np.float32), r"shape \(n, 16, 16, 1\), got"),
        (image + 2, "floats in"),
        (image.astype(int), "floats in"),
        (image * np.nan, "floats in"),
        ([[1], [1, 2]], "must be one array"),
    ):
        with pytest.raises(JaxgenError, match=words):
            model.project(wrong)
    with pytest.raises(JaxgenError, match="not conditional"):
        model.project(image, [1])
    with pytest.raises(JaxgenError, match="1 images need as many labels, got 2"):
        conditional.project(image, [1, 2])
    with pytest.raises(JaxgenError, match="digits sees 28x28 grey ones: give features none"):
        model.project(image, features="digits")
    with pytest.raises(JaxgenError, match="sampled with batch statistics"):
        restored(sampling_statistics="batch").project(image, features="none")
    model.project(image, search=Search(steps=1))
    assert "note: images of 16x16 pixels" in capsys.readouterr().err
