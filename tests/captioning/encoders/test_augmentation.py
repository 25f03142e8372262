"""What an encoder is shown in training."""

import functools

import jax
import numpy as np
import pytest

from jaxgen.captioning.encoders.augmentation import augmented

PICTURES = np.random.default_rng(0).integers(0, 256, (40, 6, 8, 3)).astype(np.uint8)


def shown(pictures=PICTURES, seed=0, shift=0, mirror=False, brightness=0.0):
    changed = functools.partial(augmented, shift=shift, mirror=mirror, brightness=brightness)
    return np.asarray(jax.jit(changed)(pictures, jax.random.key(seed)))


def test_shifts_move_whole_pictures_and_repeat_the_edge():
    moved = shown(shift=2)
    assert moved.dtype == np.uint8
    found = set()
    for before, after in zip(PICTURES, moved, strict=True):
        wide = np.pad(before, ((2, 2), (2, 2), (0, 0)), "edge")
        fits = {
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.array_equal(wide[y : y + 6, x : x + 8], after)
        }
        assert len(fits) == 1
        found |= fits
    assert len(found) > 12
    assert {y for y, _ in found} == {x for _, x in found} == set(range(5))
    np.testing.assert_array_equal(shown(shift=2), moved)
    assert np.any(shown(shift=2, seed=1) != moved)


def test_half_of_the_pictures_are_mirrored():
    turned = shown(mirror=True)
    is_turned = np.array(
        [np.array_equal(a, b[:, ::-1]) for a, b in zip(turned, PICTURES, strict=True)]
    )
    np.testing.assert_array_equal(turned[~is_turned], PICTURES[~is_turned])
    assert 8 < is_turned.sum() < 32


def test_brightness_is_a_factor_for_each_picture():
    changed = shown(brightness=0.25)
    assert changed.dtype == np.float32
    factors = [a[b > 0] / b[b > 0] for a, b in zip(changed, PICTURES, strict=True)]
    dark = [np.median(factor) for factor in factors]
    assert min(dark) >= 0.75
    assert max(dark) <= 1.25
    assert np.std(dark) > 0.05
    assert changed.max() <= 255
    for a, b, factor in zip(changed, PICTURES, dark, strict=True):
        np.testing.assert_allclose(a, np.minimum(b * factor, 255), rtol=1e-5)


@pytest.mark.parametrize("how", [{"shift": 2}, {"mirror": True}, {"brightness": 0.3}])
def test_a_picture_is_shown_as_its_own_draw_says(how):
    others = PICTURES.copy()
    others[1:] = 255 - others[1:]
    np.testing.assert_array_equal(shown(others, **how)[0], shown(**how)[0])
