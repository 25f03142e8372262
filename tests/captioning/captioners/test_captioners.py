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
CAPTIONS = np.random.default_rng(0).integers(3, VOCAB_SIZE, (3, STEPS)).astype(np.int32)
CAPTIONS[:, 0] = 1
# To compile and run faster; a captioner that is not here takes its own defaults.
SMALL = {"TransformerCaptioner": {"width": 16, "feed_forward": 32, "layers": 2}}


def captioners():
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, member in inspect.getmembers(module, inspect.isclass):
            is_public = not name.startswith("_") and member.__module__ == module.__name__
            if is_public and hasattr(member, "start") and hasattr(member, "step"):
                yield member


@functools.cache
def prepare(captioner):
    """The model, and parameters that are larger than the initial ones, so that errors show."""
    module = captioner(vocab_size=VOCAB_SIZE, **SMALL.get(captioner.__name__, {}))
    params = jax.jit(module.init)(jax.random.key(0), FEATURES, CAPTIONS)
    params = jax.tree.map(  # in NumPy, where an operation needs no compilation
        lambda x: 2 * x + 0.05 * np.cos(np.arange(x.size, dtype=x.dtype)).reshape(x.shape),
        jax.device_get(params),
    )
    return module, jax.device_put(params)


@pytest.fixture(params=captioners(), ids=lambda captioner: captioner.__name__)
def captioner(request):
    return prepare(request.param)


def test_captioners_are_found():
    names = {captioner.__name__ for captioner in captioners()}
    assert names >= {"RNNCaptioner", "LSTMCaptioner", "TransformerCaptioner"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_give_the_logits_of_the_whole_caption(captioner, precision):
    module, params = captioner
    exact = jax.jit(module.apply)(params, FEATURES, CAPTIONS)
    module = in_precision(module, precision)

    @jax.jit
    def stepped():
        def step(carry, words_N):
            return module.apply(params, carry, words_N, method="step")

        carry = module.apply(params, FEATURES, method="start")
        return jax.lax.scan(step, carry, CAPTIONS.T)[1].swapaxes(0, 1)

    whole = jax.jit(module.apply)(params, FEATURES, CAPTIONS)
    assert whole.shape == (3, STEPS, VOCAB_SIZE)
    assert whole.dtype == np.float32
    assert np.std(whole) > 0.1
    tolerance = {"float32": 1e-5, "bfloat16": 0.05}[precision] * np.abs(whole).max()
    np.testing.assert_allclose(stepped(), whole, rtol=1e-4, atol=tolerance)
    assert np.any(whole != exact) == (precision == "bfloat16")
    np.testing.assert_allclose(whole, exact, atol=tolerance)


def test_no_captioner_sees_the_future(captioner):
    module, params = captioner
    logits = jax.jit(module.apply)
    before = np.asarray(logits(params, FEATURES, CAPTIONS))
    for t in (2, STEPS - 1):
        changed = CAPTIONS.copy()
        changed[:, t:] = 3 + (changed[:, t:] + 1) % (VOCAB_SIZE - 3)
        after = np.asarray(logits(params, FEATURES, changed))
        np.testing.assert_array_equal(after[:, :t], before[:, :t])
        assert np.any(after[:, t:] != before[:, t:])


def test_beams_carry_their_own_state(captioner):
    """The log-probability of a beam search's caption is that of the whole-caption pass."""
    module, params = captioner
    special = SpecialWords()

    @jax.jit
    def search():
        carry = module.apply(params, FEATURES, method="start")
        step = functools.partial(module.apply, params, method="step")
        return beam_search(step, carry, special, STEPS, beams=3)

    words, log_probability = search()
    read = np.concatenate([np.full((3, 1), special.start), words[:, :-1]], axis=1)
    words = np.asarray(words)
    log_softmax = jax.jit(lambda *args: jax.nn.log_softmax(module.apply(*args)))
    logits = np.asarray(log_softmax(params, FEATURES, read.astype(np.int32)))
    by_word = np.take_along_axis(logits, words[..., None], axis=-1)[..., 0]
    expected = np.sum(by_word, axis=1, where=np.asarray(words) != special.null)
    np.testing.assert_allclose(log_probability, expected, rtol=1e-4)
