"""The NumPy twin agrees with jaxgen's RNN captioner: loss, gradients, updates."""

import jax
import numpy as np

from benchmarks import numpy_rnn
from jaxgen.captioning.captioners.recurrent import RNN, RNNCaptioner
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.losses import sum_over_time, token_cross_entropy
from jaxgen.data.captions.vocabulary import SPECIAL
from jaxgen.training.optimizers import Optimizer

VOCAB, HIDDEN, WORD, FEATURES, BATCH = 11, 7, 5, 6, 4
CAPTIONS_NT = np.array(
    [[1, 4, 5, 2, 0, 0], [1, 6, 2, 0, 0, 0], [1, 7, 8, 9, 10, 2], [1, 4, 4, 6, 2, 0]], np.int32
)


def known_params():
    rng = np.random.default_rng(2)
    shapes = {
        "W_embed": (VOCAB, WORD),
        "Wx": (WORD, HIDDEN),
        "Wh": (HIDDEN, HIDDEN),
        "b": (HIDDEN,),
        "W_vocab": (HIDDEN, VOCAB),
        "b_vocab": (VOCAB,),
        "W_proj": (FEATURES, HIDDEN),
        "b_proj": (HIDDEN,),
    }
    return {name: rng.normal(0, 0.6, shape) for name, shape in shapes.items()}


FEATURES_NF = np.random.default_rng(3).normal(size=(BATCH, FEATURES))


def test_loss_and_gradients_are_those_of_jaxgen(x64):
    params = known_params()
    module = RNNCaptioner(VOCAB, HIDDEN, WORD, param_dtype=np.float64)

    @jax.jit
    @jax.value_and_grad
    def ours(params):
        logits_NTV = module.apply({"params": params}, FEATURES_NF, CAPTIONS_NT[:, :-1])
        targets_NT = CAPTIONS_NT[:, 1:]
        return sum_over_time(token_cross_entropy(logits_NTV, targets_NT), targets_NT)

    loss, gradients = numpy_rnn.loss_and_gradients(params, FEATURES_NF, CAPTIONS_NT)
    expected_loss, expected = ours(params)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-10)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-8, atol=1e-10, err_msg=name)
        assert np.abs(gradient).max() > 1e-3, name


def test_two_updates_are_those_of_jaxgen():
    params = {name: array.astype(np.float32) for name, array in known_params().items()}
    config = CaptionConfig(
        workdir="", steps=2, captioner=RNN(HIDDEN, WORD), optimizer=Optimizer(learning_rate=5e-3)
    )
    words = (*SPECIAL, *map(str, range(VOCAB - len(SPECIAL))))
    captioning = config.captioning(AboutCaptions(words, (FEATURES,), examples=BATCH))
    features_NF = FEATURES_NF.astype(np.float32)
    batch = {"captions": CAPTIONS_NT, "features": features_NF}
    step = jax.jit(captioning.step)
    shapes = jax.eval_shape(captioning.init, jax.random.key(0), batch)
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    state = state.replace(params=params)
    adam = numpy_rnn.Adam(params, 5e-3)
    theirs = dict(params)
    for _ in range(2):
        state, metrics = step(state, batch, jax.random.key(0))
        loss = numpy_rnn.step(theirs, adam, features_NF, CAPTIONS_NT)
        np.testing.assert_allclose(loss, metrics["loss"], rtol=1e-5)
    for name, array in theirs.items():
        np.testing.assert_allclose(array, state.params[name], atol=1e-5, err_msg=name)
        assert np.abs(array - params[name]).max() > 1e-3, name
