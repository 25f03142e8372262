"""Smoothed labels and own words read: by hand, and off where they are not asked for."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.captioning.captioners.recurrent import LSTM
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.decoding import SpecialWords
from jaxgen.captioning.losses import token_cross_entropy
from jaxgen.captioning.objectives.cross_entropy import CrossEntropy, with_own_words
from jaxgen.data.captions.vocabulary import SPECIAL
from jaxgen.training.optimizers import Optimizer, sgd

WORDS = (*SPECIAL, *"abcd")
CAPTIONS = np.array([[1, 4, 5, 2, 0, 0], [1, 6, 7, 4, 5, 2], [1, 5, 2, 0, 0, 0]], np.int32)
FEATURES = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
BATCH = {"captions": CAPTIONS, "features": FEATURES}
CAPTIONERS = {
    "lstm": LSTM(hidden=6, word_size=4),
    "transformer": Transformer(width=8, heads=2, layers=1, feed_forward=8, dropout=0.0),
}


def captioning(captioner, **objective):
    config = CaptionConfig(
        workdir="",
        steps=10,
        captioner=captioner,
        objective=CrossEntropy(**objective),
        optimizer=Optimizer(rule=sgd, learning_rate=0.1),
        max_length=6,
        batch_size=3,
    )
    return config.captioning(AboutCaptions(WORDS, (4,), 3))


def test_smoothed_labels_are_cross_entropy_with_a_mixed_target():
    rng = np.random.default_rng(1)
    logits, targets = (
        rng.normal(size=(2, 3, 7)).astype(np.float32),
        np.array([[1, 2, 0], [6, 0, 0]]),
    )
    found = token_cross_entropy(logits, targets, smoothing=0.2)
    log = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    mixed = 0.8 * np.eye(7)[targets] + 0.2 / 7
    wanted = np.where(targets != 0, -(mixed * log).sum(axis=2), 0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("captioner", CAPTIONERS.values(), ids=CAPTIONERS.keys())
def test_own_words_are_drawn_from_the_captioner_where_the_coin_says_so(captioner):
    model = captioning(captioner)
    params = jax.tree.map(lambda p: 3 * p, model.init(jax.random.key(0), BATCH).params)
    special, share, draws = SpecialWords(), 0.4, 3000
    keys = jax.random.split(jax.random.key(1), draws)

    def read(key):
        return with_own_words(model.module, params, BATCH, special, share, key)

    found = np.asarray(jax.jit(lambda keys: jax.lax.map(read, keys))(keys))
    given = CAPTIONS[:, :-1]
    assert found.shape == (draws, *given.shape)
    np.testing.assert_array_equal(found[:, :, 0], np.broadcast_to(given[:, 0], (draws, 3)))
    padding = given == 0
    assert (found[:, padding] == 0).all()
    assert (found[:, ~padding][:, 1:] >= 1).all()
    # The first word: the given one, or one of the captioner's, as probable as it finds it.
    logits = np.asarray(model.module.apply({"params": params}, FEATURES, given), np.float64)
    weights = np.exp(logits[:, 0])
    weights[:, [0, 1]] = 0
    expected = share * weights / weights.sum(axis=1, keepdims=True)
    expected[np.arange(3), given[:, 1]] += 1 - share
    for row in range(3):
        shares = np.bincount(found[:, row, 1], minlength=len(WORDS)) / draws
        deviation = np.sqrt(expected[row] * (1 - expected[row]) / draws)
        assert (np.abs(shares - expected[row]) <= 4.5 * deviation + 1e-9).all()
    # The second word follows what was read, own words too.
    counts = np.bincount(found[:, 1, 1], minlength=len(WORDS))
    counts[given[1, 1]] = 0
    word = int(counts.argmax())
    own = found[:, 1, 1] == word
    assert own.sum() > 50
    read_NT = np.array([[1, word]] * 3, np.int32)
    after = np.asarray(model.module.apply({"params": params}, FEATURES, read_NT), np.float64)[1, 1]
    weights = np.exp(after)
    weights[[0, 1]] = 0
    expected = share * weights / weights.sum()
    expected[given[1, 2]] += 1 - share
    shares = np.bincount(found[own, 1, 2], minlength=len(WORDS)) / own.sum()
    assert (np.abs(shares - expected) <= 4.5 * np.sqrt(expected / own.sum()) + 1e-9).all()


def test_the_share_of_own_words_rises_with_the_steps():
    plain, own = (
        captioning(CAPTIONERS["lstm"], **objective)
        for objective in ({}, {"scheduled_sampling": 1.0, "scheduled_sampling_rise": 2})
    )
    states = [model.init(jax.random.key(0), BATCH) for model in (plain, own)]
    losses = []
    for _ in range(3):
        states, metrics = zip(
            *(
                jax.jit(model.step)(state, BATCH, jax.random.key(2))
                for model, state in zip((plain, own), states, strict=True)
            ),
            strict=True,
        )
        losses.append([float(one["loss"]) for one in metrics])
    assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-6)  # a share of 0 in the first step
    assert losses[2][0] != pytest.approx(losses[2][1], rel=1e-5)
    assert int(states[1].optimizer.steps) == 3


def test_nothing_is_drawn_and_nothing_is_counted_where_it_is_off():
    model = captioning(CAPTIONERS["lstm"])
    state = model.init(jax.random.key(0), BATCH)
    text = str(jax.make_jaxpr(model.step)(state, BATCH, jax.random.key(0)))
    assert "random_bits" not in text
    assert not hasattr(state.optimizer, "steps")
    again = dataclasses.replace(model)
    one, other = (jax.jit(m.step)(state, BATCH, jax.random.key(0))[0] for m in (model, again))
    jax.tree.map(np.testing.assert_array_equal, one, other)
    assert jnp.isfinite(jax.tree.leaves(one.params)[0]).all()
