"""What every captioner must do; a new one in the package is found here by its methods."""

import functools
import importlib
import inspect
import pkgutil

import jax
import numpy as np
import pytest

from jaxgen.captioning import captioners as package
from jaxgen.captioning.decoding import SpecialWords, beam_search
from jaxgen.nn.precision import in_precision

VOCAB_SIZE, STEPS = 11, 7
FEATURES = np.sin(np.arange(3 * 6, dtype=np.float32)).reshape(3, 6)
GRID = np.cos(np.arange(3 * 4 * 6, dtype=np.float32)).reshape(3, 4, 6)
CAPTIONS = np.random.default_rng(0).integers(3, VOCAB_SIZE, (3, STEPS)).astype(np.int32)
CAPTIONS[:, 0] = 1
# To compile and run faster; a captioner that is not here takes its own defaults.
_TRANSFORMER = {"width": 16, "feed_forward": 32, "layers": 2}
_LOOKING = {"hidden": 16, "word_dim": 8, "attention": 12}
SMALL = {
    "TransformerCaptioner": _TRANSFORMER,
    "ShowAttendTellCaptioner": _LOOKING,
    "UpDownCaptioner": _LOOKING,
}
# Beside a vector, which all read: those that attend to tokens, and their forms.
ON_TOKENS = {
    "TransformerCaptioner": ({}, {"encoder_layers": 1}),
    "ShowAttendTellCaptioner": ({},),
    "UpDownCaptioner": ({},),
}


def captioners():
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, member in inspect.getmembers(module, inspect.isclass):
            is_public = not name.startswith("_") and member.__module__ == module.__name__
            if is_public and hasattr(member, "start") and hasattr(member, "step"):
                yield member


def cases():
    for captioner in captioners():
        yield pytest.param((captioner, "vector", ()), id=captioner.__name__)
        for options in ON_TOKENS.get(captioner.__name__, ()):
            name = "-".join([captioner.__name__, "tokens", *options])
            yield pytest.param((captioner, "tokens", tuple(options.items())), id=name)


@functools.cache
def prepare(captioner, kind, options):
    """The model, parameters larger than the initial ones, so that errors show, and features."""
    features = FEATURES if kind == "vector" else GRID
    small = SMALL.get(captioner.__name__, {})
    module = captioner(vocab_size=VOCAB_SIZE, **small, **dict(options))
    params = jax.jit(module.init)(jax.random.key(0), features, CAPTIONS)
    params = jax.tree.map(  # in NumPy, where an operation needs no compilation
        lambda x: 2 * x + 0.05 * np.cos(np.arange(x.size, dtype=x.dtype)).reshape(x.shape),
        jax.device_get(params),
    )
    return module, jax.device_put(params), features


@pytest.fixture(params=cases())
def captioner(request):
    return prepare(*request.param)


def test_captioners_are_found():
    names = {captioner.__name__ for captioner in captioners()}
    assert names >= {"RNNCaptioner", "LSTMCaptioner", *ON_TOKENS}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_give_the_logits_of_the_whole_caption(captioner, precision):
    module, params, features = captioner
    exact = jax.jit(module.apply)(params, features, CAPTIONS)
    module = in_precision(module, precision)

    @jax.jit
    def stepped():
        def step(carry, words_N):
            return module.apply(params, carry, words_N, method="step")

        carry = module.apply(params, features, method="start")
        return jax.lax.scan(step, carry, CAPTIONS.T)[1].swapaxes(0, 1)

    whole = jax.jit(module.apply)(params, features, CAPTIONS)
    assert whole.shape == (3, STEPS, VOCAB_SIZE)
    assert whole.dtype == np.float32
    assert np.std(whole) > 0.1
    tolerance = {"float32": 1e-5, "bfloat16": 0.05}[precision] * np.abs(whole).max()
    np.testing.assert_allclose(stepped(), whole, rtol=1e-4, atol=tolerance)
    assert np.any(whole != exact) == (precision == "bfloat16")
    np.testing.assert_allclose(whole, exact, atol=tolerance)


def test_no_captioner_sees_the_future(captioner):
    module, params, features = captioner
    logits = jax.jit(module.apply)
    before = np.asarray(logits(params, features, CAPTIONS))
    for t in (2, STEPS - 1):
        changed = CAPTIONS.copy()
        changed[:, t:] = 3 + (changed[:, t:] + 1) % (VOCAB_SIZE - 3)
        after = np.asarray(logits(params, features, changed))
        np.testing.assert_array_equal(after[:, :t], before[:, :t])
        assert np.any(after[:, t:] != before[:, t:])


def test_beams_carry_their_own_state(captioner):
    """The log-probability of a beam search's caption is that of the whole-caption pass."""
    module, params, features = captioner
    special = SpecialWords()

    @jax.jit
    def search():
        carry = module.apply(params, features, method="start")
        step = functools.partial(module.apply, params, method="step")
        return beam_search(step, carry, special, STEPS, beams=3)

    words, log_probability = search()
    read = np.concatenate([np.full((3, 1), special.start), words[:, :-1]], axis=1)
    words = np.asarray(words)
    log_softmax = jax.jit(lambda *args: jax.nn.log_softmax(module.apply(*args)))
    logits = np.asarray(log_softmax(params, features, read.astype(np.int32)))
    by_word = np.take_along_axis(logits, words[..., None], axis=-1)[..., 0]
    expected = np.sum(by_word, axis=1, where=np.asarray(words) != special.null)
    np.testing.assert_allclose(log_probability, expected, rtol=1e-4)


def test_each_sample_is_independent(captioner):
    """Another image, and another caption, beside it change nothing of a caption's logits."""
    module, params, features = captioner
    logits = jax.jit(module.apply)
    before = np.asarray(logits(params, features, CAPTIONS))
    others, captions = features.copy(), CAPTIONS.copy()
    others[1:], captions[1:] = 2 - features[1:], 3 + CAPTIONS[1:] % (VOCAB_SIZE - 3)
    after = np.asarray(logits(params, others, captions))
    np.testing.assert_array_equal(after[0], before[0])
    assert np.any(after[1:] != before[1:])


@pytest.mark.parametrize("captioner", [c for c in cases() if "tokens" in c.id], indirect=True)
def test_attention_is_recorded_where_there_are_tokens(captioner):
    module, params, features = captioner
    variables = {"params": params["params"]}
    _, recorded = jax.jit(functools.partial(module.apply, mutable="intermediates"))(
        variables, features, CAPTIONS
    )
    for weights_NHTM in jax.tree.leaves(recorded):
        assert weights_NHTM.shape[0::2] == (3, STEPS)
        assert weights_NHTM.shape[3] == features.shape[1]
        np.testing.assert_allclose(np.sum(weights_NHTM, axis=3), 1, rtol=1e-6)
        assert np.std(weights_NHTM, axis=3).max() > 1e-4
    assert jax.tree.leaves(recorded)
