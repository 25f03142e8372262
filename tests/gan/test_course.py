"""Numbers that change over steps: their values, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.gan.course import Course, between
from jaxgen.gan.recipe import Augmenting, BurnIn, Penalty

BURN_IN = BurnIn(steps=8, penalty_weight=0.5, average_decay=0.99, strength=0.3)


def at(step):
    return {"steps": jnp.int32(step)}


def test_half_a_cosine_from_one_number_to_the_other_and_no_further():
    values = [float(between(2.0, 1.0, step, 8)) for step in (0, 2, 4, 6, 8, 100)]
    quarter = 0.5 - 0.5 * np.cos(np.pi / 4)
    np.testing.assert_allclose(values, [2, 2 - quarter, 1.5, 1 + quarter, 1, 1], rtol=1e-6)
    assert between(2.0, 1.0, 5, 0) == 2.0


def test_a_course_without_changes_keeps_nothing():
    for course in (Course(), Course(3.0, 0.9), Course(burn_in=BurnIn(steps=5, learning_rate=1e-4))):
        assert course.init() is None
        assert course.after(None, jnp.float32(0.3), 8) is None
    now = Course(3.0, 0.9).now(None)
    assert (now.penalty_weight, now.is_due, now.strength) == (3.0, None, None)
    assert Course(3.0, 0.9).decay(None) == 0.9
    # Numbers without steps to reach them are no schedule.
    assert Course(burn_in=BurnIn(average_decay=0.9)).has_average is False


def test_weights_strengths_and_half_lives_move():
    course = Course(2.0, 0.0, BURN_IN, augmenting=Augmenting(strength=0.1))
    assert course.has_average
    for step, weight, strength in ((0, 2.0, 0.1), (4, 1.25, 0.2), (8, 0.5, 0.3), (50, 0.5, 0.3)):
        now = course.now(at(step))
        np.testing.assert_allclose([now.penalty_weight, now.strength], [weight, strength], 1e-5)
    half_life = np.log(0.5) / np.log(0.99)
    decays = [float(course.decay(at(step))) for step in (0, 4, 8)]
    np.testing.assert_allclose(decays, [0, 0.5 ** (2 / half_life), 0.99], rtol=1e-5)


def test_a_lazy_penalty_counts_as_often_as_it_is_left_out():
    course = Course(2.0, penalty=Penalty(every=4))
    due = [bool(course.now(at(step)).is_due) for step in range(9)]
    assert due == [True, False, False, False, True, False, False, False, True]
    assert course.now(at(0)).penalty_weight == 8.0


def test_strength_follows_the_signs():
    """By 8 images x 2 steps / 80 up where the mean sign of two steps is above 0.6, else down."""
    course = Course(augmenting=Augmenting(strength=0.3, target=0.6, images=80, every=2))
    kept = course.init()
    found = []
    for sign in (1.0, 0.5, 0.2, 0.4, -1.0, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        found.append(float(course.now(kept).strength))
        kept = course.after(kept, jnp.float32(sign), 8)
    expected = np.clip([0.3, 0.5, 0.3, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0], 0, 1)
    np.testing.assert_allclose(found[::2], expected[:8], rtol=1e-5)
    np.testing.assert_allclose(kept["strength"], 1.0)
    np.testing.assert_array_equal(found[::2], found[1::2])
    assert int(kept["steps"]) == 16


@pytest.mark.parametrize(
    "course", [Course(burn_in=BURN_IN), Course(augmenting=Augmenting(0.2, 0.6))]
)
def test_what_is_kept_has_one_form(course):
    kept = course.init()
    after = jax.eval_shape(lambda kept: course.after(kept, jnp.float32(0.1), 8), kept)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), kept) == jax.tree.map(
        lambda x: (x.shape, x.dtype), after
    )
