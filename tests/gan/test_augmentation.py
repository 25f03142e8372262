"""Augmentations: what they keep, that they differ by example, and that gradients pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.gan import adaptive, augmentation
from jaxgen.gan.augmentation import Augmentation, cutout, diff_cutout, diff_translate, translate

KEY = jax.random.key(5)
CHOICES = Augmentation.choices()


def draws(n):
    return adaptive.Draws(KEY, n)


def test_translate_moves_whole_images_by_up_to_an_eighth():
    images = jnp.full((64, 16, 16, 1), -1.0).at[:, 7, 8].set(1.0)
    moved = np.asarray(translate(images, KEY))
    rows, columns = np.argwhere(moved[..., 0] > 0.5)[:, 1:].T
    assert len(rows) == 64
    assert set(rows - 7) == set(columns - 8) == {-2, -1, 0, 1, 2}
    np.testing.assert_allclose(moved.sum(axis=(1, 2, 3)), -254, rtol=1e-5)


def test_translate_brings_in_black():
    moved = np.asarray(translate(jnp.ones((64, 16, 16, 1)), KEY))
    assert set(np.unique(np.round(moved))) == {-1.0, 1.0}


def test_the_references_translation_is_rounded_and_brings_in_0():
    """int(28 / 8 + 0.5) is 4, where 28 // 8 is 3."""
    images = np.float32(np.random.default_rng(0).uniform(-1, 1, (400, 28, 28, 3)))
    seen = np.asarray(diff_translate(images, KEY))
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))
    found = set()
    for one, image in zip(seen, padded, strict=True):
        places = [
            (y, x)
            for y in range(9)
            for x in range(9)
            if np.allclose(one[10], image[10 + y, x : x + 28], atol=1e-5)
        ]
        (y, x) = places[0]
        np.testing.assert_allclose(one, image[y : y + 28, x : x + 28], atol=1e-5)
        found.add((y, x))
    assert len(found) > 70
    assert {y for y, _ in found} == {x for _, x in found} == set(range(9))


def test_cutout_sets_a_square_to_zero():
    holes = np.asarray(cutout(jnp.ones((200, 16, 16, 3)), KEY) == 0)
    assert np.array_equal(holes[..., 0], holes[..., 2])
    area = holes[..., 0].sum(axis=(1, 2))
    assert area.max() == 64
    assert area.min() >= 16
    assert len(np.unique(area)) > 5


@pytest.mark.parametrize("size", [28, 30])
def test_the_references_cutout(size):
    """A hole of int(size / 2 + 0.5) around a pixel; with odd ones no pixel beyond the edge."""
    hole = int(size / 2 + 0.5)
    seen = np.asarray(diff_cutout(jnp.ones((500, size, size, 1)), KEY))
    rows = (seen[..., 0] == 0).any(axis=2)
    starts = np.where(rows[:, 0], rows.sum(1) - hole, rows.argmax(1))
    assert set(starts + hole // 2) == set(range(size + 1 - hole % 2))
    if size == 28:  # four divides it
        np.testing.assert_array_equal(seen, cutout(jnp.ones((500, 28, 28, 1)), KEY))


def test_the_references_colour_by_its_formulas():
    images = np.float32(np.random.default_rng(0).uniform(-1, 1, (5, 4, 6, 3)))
    draws = np.asarray(jax.random.uniform(KEY, (3, 5, 1, 1, 1)))
    x = images + (draws[0] - 0.5)
    mean = x.mean(axis=3, keepdims=True)
    x = (x - mean) * (draws[1] * 2) + mean
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    right = (x - mean) * (draws[2] + 0.5) + mean
    np.testing.assert_allclose(augmentation.colour(images, KEY), right, atol=1e-5)


@pytest.mark.parametrize("name", CHOICES)
def test_gradients_pass_shapes_stay_and_each_example_is_its_own(name):
    @jax.jit
    def both(images):
        def total(x):
            seen = CHOICES[name].apply(x, KEY)
            return seen.sum(), seen

        return jax.value_and_grad(total, has_aux=True)(images)

    for channels in (3, 1):
        images = jax.random.uniform(KEY, (4, 12, 12, channels), minval=-1)
        (_, seen), gradient = both(images)
        assert seen.shape == images.shape
        assert seen.dtype == images.dtype
        assert np.abs(gradient).sum() > 0
        if name in ("translation", "translation_cutout", "diff_translation_cutout"):
            assert set(np.unique(np.round(gradient, 5))) <= {0.0, 1.0}
        (_, other), _ = both(images.at[1].set(0.3))
        np.testing.assert_allclose(other[2], seen[2], atol=1e-6)
    (_, repeated), _ = both(jnp.repeat(images[:1], 4, axis=0))
    assert name == "none" or np.abs(repeated[0] - repeated[1]).max() > 1e-3


@pytest.mark.parametrize("name", ["translation", "diff_augment", "ada_full", "ada_upright"])
def test_in_part_is_all_nothing_or_some(name):
    images = jnp.repeat(jax.random.uniform(KEY, (1, 8, 8, 3), minval=-1), 400, axis=0)
    in_part = jax.jit(CHOICES[name].in_part)

    def changed(probability):
        seen = np.asarray(in_part(images, KEY, jnp.float32(probability)))
        return (np.abs(seen - images).max(axis=(1, 2, 3)) > 1e-4).mean()

    assert changed(0.0) == 0
    assert changed(1.0) > 0.8
    some = changed(0.2)
    if name.startswith("ada"):
        assert some > 0.3  # each of several transformations by itself
    else:
        assert 0.1 < some < 0.3


def test_each_move_is_what_it_is_called():
    images = jax.random.uniform(KEY, (40, 8, 8, 3))

    def moved(move):
        return np.asarray(adaptive.resampled(images, move(draws(40), jnp.float32(1))))

    originals = np.asarray(images)
    for one, image in zip(moved(adaptive.mirror), originals, strict=True):
        assert any(np.allclose(one, other, atol=1e-5) for other in (image, image[:, ::-1]))
    turns = [
        [np.allclose(one, np.rot90(image, k), atol=1e-4) for k in range(4)]
        for one, image in zip(moved(adaptive.turn), originals, strict=True)
    ]
    assert (np.sum(turns, axis=1) == 1).all()
    assert np.sum(turns, axis=0).min() > 2
    # A shift by two pixels to the right, mirrored at the edge.
    by = np.zeros(40, np.float32)
    maps = adaptive._moving(jnp.asarray(by + 2 * 2 / 8), jnp.asarray(by))
    right = np.pad(originals, ((0, 0), (0, 0), (0, 2), (0, 0)), mode="symmetric")[:, :, 2:]
    np.testing.assert_allclose(adaptive.resampled(images, maps), right, atol=1e-5)
    # What is everywhere the same stays so, whatever is moved.
    flat = jnp.full((40, 8, 8, 3), 0.7)
    maps = adaptive.geometry(draws(40), jnp.float32(1))
    np.testing.assert_allclose(adaptive.resampled(flat, maps), flat, atol=1e-5)


def test_geometry_keeps_the_area_in_the_mean_and_upright_keeps_up_up():
    maps = np.asarray(adaptive.upright(draws(2000), jnp.float32(1)))
    determinant = np.linalg.det(maps[:, :2, :2])
    np.testing.assert_allclose(np.exp(np.log(determinant).mean()), 1, rtol=0.03)
    np.testing.assert_allclose(np.log2(determinant).std(), 0.4, rtol=0.1)  # of two sides
    assert (maps[:, 0, 0] > 0.3).all()
    assert (maps[:, 1, 1] > 0.3).all()
    assert (np.asarray(adaptive.geometry(draws(200), jnp.float32(1)))[:, 0, 0] < 0).any()


def test_hue_turns_around_grey_and_keeps_lengths():
    images = jax.random.uniform(KEY, (300, 2, 2, 3), minval=-1)
    seen = np.asarray(adaptive.recoloured(images, draws(300), jnp.float32(1)))
    grey = np.asarray(
        adaptive.recoloured(images.mean(3, keepdims=True), draws(300), jnp.float32(1))
    )
    np.testing.assert_allclose(seen.mean(3, keepdims=True), grey, atol=1e-4)
    distance = np.linalg.norm(seen - grey, axis=3)
    before = np.linalg.norm(images - images.mean(3, keepdims=True), axis=3)
    factors = distance / before  # contrast times saturation: one for each image
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :1, :1], factors.shape), 1e-3)
    assert 0.7 < np.log2(factors).std() < 1.5
