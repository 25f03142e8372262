"""The policy gradient, held against every caption that there can be."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.captioning import losses
from jaxgen.captioning.captioners.recurrent import LSTMCaptioner
from jaxgen.captioning.captioners.transformer import TransformerCaptioner
from jaxgen.captioning.decoding import SpecialWords, greedy
from jaxgen.captioning.objectives import policy
from jaxgen.captioning.objectives.base import Setup
from jaxgen.captioning.objectives.self_critical import policy_loss

WORDS, LENGTH, IMAGES = 6, 3, 2  # NULL, START, END, UNK and two words
SPECIAL = SpecialWords()
FEATURES = np.random.default_rng(1).normal(size=(IMAGES, 4))


def every_caption():
    """All 40: END, or three other words, at each of three places."""
    captions = []

    def extend(words):
        if len(words) == LENGTH or (words and words[-1] == SPECIAL.end):
            captions.append(words + [0] * (LENGTH - len(words)))
            return
        for word in (2, 3, 4, 5):
            extend([*words, word])

    extend([])
    return np.array(captions, np.int32)


CAPTIONS = every_caption()
REWARD = np.random.default_rng(2).normal(size=(IMAGES, len(CAPTIONS)))


@pytest.fixture(params=["lstm", "transformer"])
def model(request, x64):
    """A captioner in float64, with weights far from uniform."""
    if request.param == "lstm":
        module = LSTMCaptioner(WORDS, 5, 4, param_dtype=jnp.float64)
    else:
        module = TransformerCaptioner(WORDS, 8, 2, 1, 8, LENGTH, param_dtype=jnp.float64)
    params = module.init(jax.random.key(0), FEATURES[:1], jnp.zeros((1, 2), jnp.int32))["params"]
    keys = jax.random.split(jax.random.key(7), len(jax.tree.leaves(params)))
    noise = iter(keys)
    params = jax.tree.map(
        lambda p: p + 0.4 * jax.random.normal(next(noise), p.shape, p.dtype), params
    )
    return module, params


def probabilities(module, params):
    """Of every caption for each image, by the captioner's steps and a softmax over what it may say.

    Nothing of this is the code under test.
    """
    step = partial(module.apply, {"params": params}, method="step")
    rows = jnp.repeat(FEATURES, len(CAPTIONS), axis=0)
    words = np.tile(CAPTIONS, (IMAGES, 1))
    carry = module.apply({"params": params}, rows, method="start")
    last = np.full(len(words), SPECIAL.start, np.int32)
    total = jnp.ones(len(words))
    for place in range(LENGTH):
        carry, logits = step(carry, last)
        weights = jnp.exp(logits[:, 2:])
        chosen = np.maximum(words[:, place], 2)
        share = weights[np.arange(len(words)), chosen - 2] / weights.sum(axis=1)
        total = total * jnp.where(words[:, place] == SPECIAL.null, 1, share)
        last = words[:, place]
    return total.reshape(IMAGES, -1)


def expected_reward(module, params):
    return (probabilities(module, params) * REWARD).sum(axis=1).mean()


def gradient_of_all(module, params, baseline):
    """`policy_loss` of every caption, each as often as the policy draws it."""
    setup = Setup(module, SPECIAL, losses.sum_over_time, LENGTH)
    words = np.tile(CAPTIONS[None], (IMAGES, 1, 1))
    share = probabilities(module, params)
    advantage = len(CAPTIONS) * share * (REWARD - baseline)
    return jax.grad(lambda p: policy_loss(setup, p, FEATURES, words, advantage)[0])(params)


def test_the_policy_is_a_distribution_over_all_captions(model):
    module, params = model
    words = np.tile(CAPTIONS[None], (IMAGES, 1, 1))
    found = jax.jit(lambda p: policy.probability(module, p, FEATURES, SPECIAL, words))(params)
    np.testing.assert_allclose(jnp.exp(found.log_NK).sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(jnp.exp(found.log_NK), probabilities(module, params), rtol=1e-9)
    assert 0 < found.entropy < np.log(4)


def test_its_gradient_is_that_of_the_expected_reward_by_finite_differences(model):
    module, params = model
    exact = {b: gradient_of_all(module, params, b) for b in (0.0, 1.7)}
    value = jax.jit(partial(expected_reward, module))
    rng = np.random.default_rng(3)
    for _ in range(8):
        way = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape)), params)
        step = 1e-5
        ahead, behind = (
            value(jax.tree.map(lambda p, d: p + sign * step * d, params, way))  # noqa: B023
            for sign in (1, -1)
        )
        difference = (ahead - behind) / (2 * step)
        for gradient in exact.values():  # a baseline changes nothing
            products = jax.tree.map(lambda g, d: (g * d).sum(), gradient, way)
            along = -sum(jax.tree.leaves(products))
            assert along == pytest.approx(float(difference), rel=1e-6, abs=1e-9)
            assert abs(difference) > 1e-4


def test_captions_are_drawn_as_often_as_they_are_probable(model):
    module, params = model

    def draw(key):
        return policy.draw(module, params, FEATURES, SPECIAL, LENGTH, key, 10, True)

    drawn = jax.jit(lambda keys: jax.lax.map(draw, keys))(jax.random.split(jax.random.key(5), 400))
    assert drawn.shape == (400, IMAGES, 11, LENGTH)
    index = {tuple(words): i for i, words in enumerate(CAPTIONS.tolist())}
    wanted = np.asarray(probabilities(module, params))
    for image in range(IMAGES):
        found = [
            index[tuple(words)]
            for words in np.asarray(drawn[:, image, 1:]).reshape(-1, LENGTH).tolist()
        ]
        counts = np.bincount(found, minlength=len(CAPTIONS))
        likely = wanted[image] * 4000 > 5
        squares = (counts - 4000 * wanted[image]) ** 2 / (4000 * wanted[image])
        # Chi-squared of as many degrees: its mean, and five standard deviations.
        degrees = likely.sum()
        assert squares[likely].sum() < degrees + 5 * np.sqrt(2 * degrees)
    # In front the greedy one, as decoding finds it.
    step = partial(module.apply, {"params": params}, method="step")
    carry = module.apply({"params": params}, FEATURES, method="start")
    words = greedy(step, carry, SPECIAL, LENGTH)[0]
    np.testing.assert_array_equal(drawn[:, :, 0], np.broadcast_to(words, (400, *words.shape)))
