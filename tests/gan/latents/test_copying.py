"""Samples beside their nearest training images: copies show, new images do not."""

import dataclasses

import numpy as np
import pytest

from jaxgen.data.images.base import load_images, to_model_range
from jaxgen.data.images.stored import StoredImages
from jaxgen.errors import JaxgenError
from jaxgen.gan.latents import copying
from tests.gan.latents.conftest import Dots, restored


@pytest.fixture(scope="module")
def dots():
    return StoredImages.of(load_images(Dots()))


def compared(dots, samples, train=400, **options):
    return copying.copying(samples, None, dots, train, None, 3, **options)


def test_copies_show_and_new_images_do_not(dots):
    images = to_model_range(dots.array)
    noise = np.random.default_rng(1).normal(0, 0.01, (50, 16, 16, 1)).astype(np.float32)
    copied = compared(dots, np.clip(images[100:150] + noise, -1, 1))
    pixels = copied.measures["pixels"]
    np.testing.assert_array_equal(pixels.found.place_NK[:, 0], np.arange(100, 150))
    np.testing.assert_array_equal(copied.read(pixels.found.place_NK[:, 0]), images[100:150])
    assert copied.held_out == 200
    assert pixels.closeness.ratio < 0.1
    assert pixels.closeness.copies == 1
    # Each of two parts of 200 holds half of them.
    assert pixels.closeness.nearer >= 0.7
    assert pixels.closeness.nearer > max(pixels.closeness.chance)
    # Images of the same kind that nobody has seen.
    rng = np.random.default_rng(9)
    fresh = rng.integers(0, 40, (300, 16, 16, 1)).astype(np.float32)
    for one, (top, left) in zip(fresh, rng.integers(0, 12, (300, 2)), strict=True):
        one[top : top + 4, left : left + 4] += 200
    new = compared(dots, fresh / 127.5 - 1).measures["pixels"].closeness
    assert new.ratio == pytest.approx(1, abs=0.05)
    assert new.copies < 0.05
    assert new.nearer == pytest.approx(0.5, abs=0.08)
    assert 0.4 < min(new.chance) <= max(new.chance) < 0.6


@pytest.mark.parametrize("train", [400, 600])  # the last 200 were held out, or none were
def test_copies_that_were_moved_show_in_features(dots, train):
    looked_at = []

    def features(images):
        """Of the rows and columns, wherever they are."""
        looked_at.append(len(images))
        means = images.mean((2, 3)), images.mean((1, 3)), images.std((1, 2))
        return np.sort(np.concatenate(means, axis=1), axis=1)

    moved = np.roll(to_model_range(dots.array[[7, 300, 9]]), (3, 5), axis=(1, 2))
    found = copying.copying(moved, None, dots, train, features, 3).measures
    np.testing.assert_array_equal(found["features"].found.place_NK[:, 0], [7, 300, 9])
    assert found["features"].closeness.ratio < 1e-3 < 0.3 < found["pixels"].closeness.ratio
    assert sum(looked_at) == 3 + 600  # each image once


def test_without_held_out_images_training_images_stand_in(dots):
    images = to_model_range(dots.array)
    whole = compared(dots, images[:20], train=10**9)
    assert (whole.training, whole.held_out) == (600, 0)
    measured = whole.measures["pixels"].closeness
    assert measured.samples == 0
    # A training image is not its own nearest.
    assert measured.real > 0.02
    assert measured.nearer is None
    assert "no images were held out" in copying.table(whole)
    assert "50 % where nothing is copied" not in copying.table(whole)
    assert compared(dots, images[:20], train=501).held_out == 0  # too few
    assert compared(dots, images[:20], train=500).held_out == 100


def test_the_table_says_what_was_compared(dots):
    told = copying.table(compared(dots, to_model_range(dots.array[:30])))
    assert told.startswith("30 samples, 400 training images, 200 held-out ones;")
    for words in ("ratio", "0.000", "1 % by chance", "what chance does"):
        assert words in told


def test_a_model_compares_its_own_samples(conditional):
    found = conditional.nearest(n=9, neighbours=2, seed=3, features="none")
    np.testing.assert_array_equal(found.labels, np.arange(9) % 3)
    np.testing.assert_allclose(found.samples, conditional.sample(3, 9), atol=1e-6)
    assert (found.training, found.held_out) == (400, 200)
    nearest = found.read(found.measures["pixels"].found.place_NK)
    assert nearest.shape == (9, 2, 16, 16, 1)
    apart = np.sqrt(((nearest - found.samples[:, None]) ** 2).mean((2, 3, 4))) / 2
    np.testing.assert_allclose(apart, found.measures["pixels"].found.distance_NK, rtol=1e-4)
    asked = conditional.nearest(neighbours=2, labels=[1, 1], features="none")
    np.testing.assert_array_equal(asked.labels, [1, 1])


def test_what_cannot_be_compared_is_refused(dots, model):
    with pytest.raises(JaxgenError, match="3 training images are too few for 3 neighbours"):
        compared(dots, to_model_range(dots.array[:5]), train=3)
    with pytest.raises(JaxgenError, match="give the data that the model was trained on"):
        compared(dots, np.zeros((2, 28, 28, 1), np.float32))
    with pytest.raises(JaxgenError, match="n and neighbours must be at least 1"):
        model.nearest(n=0)
    exported = restored()
    exported._saved = dataclasses.replace(exported._saved, exported="folder")
    exported.config = dataclasses.replace(exported.config, data=Gone())
    with pytest.raises(JaxgenError, match="came without the data that this needs"):
        exported.nearest(n=2)


@dataclasses.dataclass(frozen=True)
class Gone(Dots):
    """Data that are elsewhere."""

    def load(self):
        raise JaxgenError("they are gone")
