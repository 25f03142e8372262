"""Augmentations: what they keep, that they differ by example, and that gradients pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.gan.augmentation import Augmentation, cutout, translate

KEY = jax.random.key(5)


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


def test_cutout_sets_a_square_to_zero():
    holes = np.asarray(cutout(jnp.ones((200, 16, 16, 3)), KEY) == 0)
    assert np.array_equal(holes[..., 0], holes[..., 2])
    area = holes[..., 0].sum(axis=(1, 2))
    assert area.max() == 64
    assert area.min() >= 16
    assert len(np.unique(area)) > 5


@pytest.mark.parametrize("name", Augmentation.choices())
def test_gradients_pass_and_shapes_stay(name):
    apply = Augmentation.choices()[name].apply
    images = jax.random.uniform(KEY, (4, 12, 12, 3), minval=-1)
    assert apply(images, KEY).shape == images.shape
    gradient = jax.grad(lambda x: apply(x, KEY).sum())(images)
    assert set(np.unique(np.round(gradient, 5))) <= {0.0, 1.0}
    assert gradient.sum() > 0
