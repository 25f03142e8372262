"""Encoders of photographs that learn with a captioner: the tiny one of the tests of weights."""

import jax
import numpy as np
import pytest

from jaxgen.captioning.encoders.photograph_encoder import PhotographEncoder
from jaxgen.errors import JaxgenError
from jaxgen.nn.encoders.known import ENCODERS
from tests.data.photographs import test_weights

SIDE = 32
PICTURES = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A network of a few numbers in lite0's place, and its weights."""
    monkeypatch.setitem(ENCODERS, "lite0", test_weights.TINY)
    return PhotographEncoder(weights=str(test_weights.written(tmp_path / "tiny.safetensors")))


def test_its_tokens_are_the_regions_that_jaxgen_features_has(tiny):
    module, begun = tiny.module((SIDE, SIDE, 3)), tiny.weights_to_begin_with()
    drawn = jax.eval_shape(module.init, jax.random.key(0), PICTURES)["params"]
    assert jax.tree.map(np.shape, begun) == jax.tree.map(np.shape, drawn)
    tokens = jax.jit(module.apply)({"params": begun}, PICTURES)
    grid = test_weights.TINY.encoded(begun["variables"], PICTURES).grid_NHWC
    np.testing.assert_allclose(tokens, np.reshape(grid, tokens.shape), rtol=1e-5, atol=1e-6)
    assert np.ptp(tokens) > 0


@pytest.mark.parametrize(
    ("shape", "words"),
    [((16, 64, 3), "pixels a side or more, not of 16x64"), ((64, 64, 1), "with 1 channels")],
)
def test_pictures_that_it_does_not_see_are_refused(shape, words):
    with pytest.raises(JaxgenError, match=words):
        PhotographEncoder().module(shape)


def test_weights_that_are_not_there_are_told():
    with pytest.raises(JaxgenError, match="weights of resnet50 do not come with jaxgen"):
        PhotographEncoder(network="resnet50").weights_to_begin_with()
