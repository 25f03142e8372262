"""The PyTorch captioners agree with jaxgen's: same weights, same logits, loss and words."""

import dataclasses
import importlib

import jax
import numpy as np
import pytest

from jaxgen.captioning import losses
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.decoding import Decoding
from jaxgen.data.captions.vocabulary import SPECIAL
from jaxgen.errors import JaxgenError

torch = pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is not there")
torch_captioners = importlib.import_module("benchmarks.torch_captioners")
torch.set_num_threads(1)  # more would wait for each other longer than they compute

VOCAB, FEATURES, LENGTH = 23, 6, 9
CAPTIONS_NT = np.array([[1, 4, 5, 2, 0, 0], [1, 6, 2, 0, 0, 0], [1, 7, 8, 9, 10, 2]], np.int32)
FEATURES_NF = np.random.default_rng(3).normal(size=(3, FEATURES)).astype(np.float32)
BATCH = {"captions": CAPTIONS_NT, "features": FEATURES_NF}
CAPTIONERS = {
    "rnn": RNN(hidden=7, word_size=5),
    "lstm": LSTM(hidden=7, word_size=5),
    "transformer": Transformer(width=12, heads=3, layers=2, feed_forward=17),
}
WORDS = (*SPECIAL, *map(str, range(VOCAB - len(SPECIAL))))
ABOUT = AboutCaptions(WORDS, (FEATURES,), examples=len(CAPTIONS_NT))
every_captioner = pytest.mark.parametrize("captioner", CAPTIONERS.values(), ids=CAPTIONERS.keys())


def jaxgen_and_twin(captioner, size=0.5, ends=True):
    """The same captioner twice, of known weights; without `ends` no special word is ever best."""
    is_transformer = isinstance(captioner, Transformer)
    config = CaptionConfig(
        workdir="",
        steps=1,
        captioner=captioner,
        loss=losses.mean_over_positions if is_transformer else losses.sum_over_time,
        max_length=LENGTH,
    )
    shapes = jax.eval_shape(config.captioning(ABOUT).init, jax.random.key(0), BATCH)
    rng = np.random.default_rng(5)

    def values(path, leaf):  # biases are small, or the same word would always be the best
        mean = float(path[-1].key == "scale")
        return rng.normal(mean, 0.1 if len(leaf.shape) == 1 else size, leaf.shape).astype("f4")

    params = jax.tree_util.tree_map_with_path(values, shapes.params)
    if not ends:
        bias = params["output"]["bias"] if is_transformer else params["b_vocab"]
        bias[: len(SPECIAL)] = -1e9
    twin = torch_captioners.twin(captioner, VOCAB, FEATURES, LENGTH)
    torch_captioners.copy_weights(twin, params)
    return config, params, twin.eval()


@every_captioner
def test_same_weights_give_the_same_logits_and_loss(captioner):
    config, params, twin = jaxgen_and_twin(captioner)
    module = config.captioning(ABOUT).module
    features, captions = torch.from_numpy(FEATURES_NF), torch.from_numpy(CAPTIONS_NT).long()

    @jax.jit
    def ours(params):
        targets_NT = CAPTIONS_NT[:, 1:]
        logits_NTV = module.apply({"params": params}, FEATURES_NF, CAPTIONS_NT[:, :-1])
        loss_NT = losses.token_cross_entropy(logits_NTV, targets_NT)
        return logits_NTV, config.loss(loss_NT, targets_NT)

    logits_NTV, loss = ours(params)
    with torch.no_grad():
        theirs_NTV = twin(features, captions[:, :-1])
        their_loss = torch_captioners.loss(twin, features, captions)
    np.testing.assert_allclose(theirs_NTV, logits_NTV, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(their_loss, loss, rtol=1e-4)
    assert np.std(logits_NTV, axis=1).mean() > 5e-3  # a constant would agree all too easily


@every_captioner
def test_same_weights_give_the_same_words(captioner):
    config, params, twin = jaxgen_and_twin(captioner, size=1.5, ends=False)
    words_NL = config.writer(ABOUT).words(params, FEATURES_NF, Decoding())
    theirs_NL = twin.greedy(torch.from_numpy(FEATURES_NF), LENGTH).numpy()
    assert np.array_equal(theirs_NL, words_NL)
    assert len(np.unique(words_NL)) > 1
    assert words_NL.min() >= len(SPECIAL)


def test_training_without_dropout_gives_the_same_losses():
    captioner = dataclasses.replace(CAPTIONERS["transformer"], dropout=0.0, layers=1)
    config, params, twin = jaxgen_and_twin(captioner)
    captioning = config.captioning(ABOUT)
    shapes = jax.eval_shape(captioning.init, jax.random.key(0), BATCH)
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    state = state.replace(params=params)
    step = jax.jit(captioning.step)
    optimizer = torch.optim.Adam(twin.train().parameters(), config.optimizer.learning_rate)
    features, captions = torch.from_numpy(FEATURES_NF), torch.from_numpy(CAPTIONS_NT).long()
    history = []
    for _ in range(3):
        state, metrics = step(state, BATCH, jax.random.key(0))
        theirs = torch_captioners.step(twin, optimizer, features, captions)
        np.testing.assert_allclose(theirs, metrics["loss"], rtol=1e-4)
        history.append(float(theirs))
    assert history[2] < 0.99 * history[0]


def test_dropout_is_on_in_training_only():
    _, _, twin = jaxgen_and_twin(CAPTIONERS["transformer"])
    features, captions = torch.from_numpy(FEATURES_NF), torch.from_numpy(CAPTIONS_NT).long()

    def value():
        return float(torch_captioners.loss(twin, features, captions).detach())

    assert value() == value()
    twin.train()
    assert value() != value()


@pytest.mark.parametrize(
    "captioner", [RNN(dropout=0.1), Transformer(window=3), Transformer(memory_tokens=2)]
)
def test_what_has_no_twin_is_refused(captioner):
    with pytest.raises(JaxgenError, match="has no PyTorch twin"):
        torch_captioners.twin(captioner, VOCAB, FEATURES)
