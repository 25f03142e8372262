"""The masked cross-entropy of captions and its reductions.

Sanity values: CS231n assignment 3 (2022), RNN_Captioning notebook.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.captioning.losses import (
    mean_over_positions,
    mean_over_tokens,
    sum_over_time,
    token_cross_entropy,
)

# Log-probabilities by hand: uniform over two words, then odds of 3 to 1.
ODDS = [[[1.0, 1.0, 1e-30], [1e-30, 3.0, 1.0]], [[1e-30, 1.0, 3.0], [1.0, 1.0, 1.0]]]
TARGETS = np.array([[1, 1], [2, 0]])


def tiny_scores(*shape):
    return 0.001 * np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_values_by_hand():
    loss = token_cross_entropy(np.log(ODDS), TARGETS)
    expected = np.log([[2.0, 4 / 3], [4 / 3, 1.0]])  # the last target is NULL
    np.testing.assert_allclose(loss, expected, rtol=1e-6, atol=1e-7)
    total = expected.sum()
    assert sum_over_time(loss, TARGETS) == pytest.approx(total / 2)
    assert mean_over_tokens(loss, TARGETS) == pytest.approx(total / 3)
    assert mean_over_positions(loss, TARGETS) == pytest.approx(total / 4)


@pytest.mark.parametrize(
    ("captions", "steps", "low", "high"), [(100, 1, 2.29, 2.31), (100, 10, 22.9, 23.1)]
)
def test_scores_of_nothing_cost_log_v_a_step(captions, steps, low, high):
    targets = np.random.default_rng(1).integers(0, 10, (captions, steps))
    loss = token_cross_entropy(tiny_scores(captions, steps, 10), targets, null=-1)
    assert low < sum_over_time(loss, targets, null=-1) < high


def test_a_tenth_of_the_tokens_cost_a_tenth():
    rng = np.random.default_rng(2)
    targets = np.where(rng.random((5000, 10)) < 0.1, rng.integers(0, 10, (5000, 10)), -1)
    loss = token_cross_entropy(tiny_scores(5000, 10, 10), targets, null=-1)
    assert 2.2 < sum_over_time(loss, targets, null=-1) < 2.4


def test_padding_gives_no_gradient_and_the_rest_softmax_minus_target(x64):
    logits = np.cos(np.arange(12.0)).reshape(2, 2, 3)

    def loss(logits):
        return jnp.sum(token_cross_entropy(logits, TARGETS))

    expected = jax.nn.softmax(logits) - jax.nn.one_hot(TARGETS, 3)
    expected = jnp.where((TARGETS != 0)[..., None], expected, 0)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(logits), expected, rtol=1e-12)


def test_temporal_softmax_gradient_is_the_numerical_one(x64):
    logits = np.sin(np.arange(12.0)).reshape(2, 2, 3)

    def loss(logits):
        return sum_over_time(token_cross_entropy(logits, TARGETS), TARGETS)

    offsets = 1e-5 * np.eye(12).reshape(12, 2, 2, 3)
    numerical = jax.jit(jax.vmap(lambda d: (loss(logits + d) - loss(logits - d)) / 2e-5))(offsets)
    exact = np.ravel(jax.jit(jax.grad(loss))(logits))
    np.testing.assert_allclose(exact, numerical, rtol=1e-6, atol=1e-10)


def test_huge_scores_stay_finite():
    logits = jnp.array([[[1e4, -1e4, 0.0]]])
    loss, gradient = jax.jit(
        jax.value_and_grad(lambda logits: jnp.sum(token_cross_entropy(logits, np.array([[1]]))))
    )(logits)
    assert loss == pytest.approx(2e4)
    np.testing.assert_array_equal(gradient, [[[1.0, -1.0, 0.0]]])


def test_captions_of_padding_only_cost_nothing():
    targets = jnp.zeros((2, 3), int)
    loss = token_cross_entropy(jnp.ones((2, 3, 4)), targets)
    for reduce in (sum_over_time, mean_over_tokens, mean_over_positions):
        assert reduce(loss, targets) == 0


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 4\) and \(2, 4\)"):
        token_cross_entropy(jnp.ones((2, 3, 4)), jnp.ones((2, 4), int))
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2,\)"):
        sum_over_time(jnp.ones((2, 3)), jnp.ones(2, int))
