"""The small network of scenes without batch norm, and what it begins with."""

import jax
import numpy as np
import pytest

from jaxgen.captioning.encoders import scene_cnn
from jaxgen.captioning.encoders.scene_cnn import SceneCNN, SceneCNNModule
from jaxgen.data.scenes import features
from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import in_precision

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)


def tokens(module, params, precision="float32"):
    module = in_precision(module, precision)
    return np.asarray(jax.jit(module.apply)({"params": params}, PICTURES))


def test_the_shipped_weights_give_the_shipped_features():
    """But for the place, which the shipped network adds before what is negative is cut off."""
    variables = features.load_weights()
    variables["params"]["place"] = 0 * variables["params"]["place"]
    expected = features.extract(variables, PICTURES)[0].astype(np.float32)
    found = tokens(SceneCNNModule(between=True), scene_cnn.shipped())
    assert found.shape == (2, 16, 128)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)  # kept in half precision


def test_tokens_are_moved_by_half_a_step_and_know_their_place():
    encoder = SceneCNN(weights="scenes")
    module = encoder.module((64, 64, 3))
    drawn = jax.jit(module.init)(jax.random.key(0), PICTURES)["params"]
    params = {**drawn, **encoder.weights_to_begin_with()}
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, drawn)
    found = tokens(module, params)
    assert found.shape == (2, 16, 160)
    np.testing.assert_allclose(found[1, :, 128:], drawn["place"].reshape(16, 32), rtol=1e-6)
    # A digit in the middle of the picture is seen by one token of the third row and column most.
    dot = np.zeros((2, 64, 64, 3), np.uint8)
    dot[1, 31:33, 31:33] = 255
    seen = np.asarray(jax.jit(module.apply)({"params": params}, dot))[..., :128]
    assert np.abs(seen[1] - seen[0]).sum(axis=1).argmax() == 2 * 4 + 2
    rounded = tokens(module, params, "bfloat16")
    np.testing.assert_allclose(rounded, found, atol=0.05 * found.max())
    assert np.any(rounded != found)


def test_from_scratch_it_keeps_what_was_drawn():
    assert SceneCNN().weights_to_begin_with() is None
    shapes = jax.eval_shape(
        SceneCNN().module((32, 48, 1)).init, jax.random.key(0), np.zeros((1, 32, 48, 1), np.uint8)
    )
    assert shapes["params"]["place"].shape == (2, 3, 32)


@pytest.mark.parametrize(
    ("encoder", "shape", "words"),
    [
        (SceneCNN(weights="scenes"), (32, 32, 3), "scenes are for pictures of 64x64 in colour"),
        (SceneCNN(weights="scenes"), (64, 64, 1), "with 1 channels; take scratch"),
        (SceneCNN(), (8, 64, 3), "16 to 1024 pixels a side, not of 8x64"),
    ],
)
def test_pictures_that_it_does_not_see_are_refused(encoder, shape, words):
    with pytest.raises(JaxgenError, match=words):
        encoder.module(shape)


def test_altered_weights_are_refused(monkeypatch, tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"PK")
    load = features.load_weights
    monkeypatch.setattr(scene_cnn.scene_features, "load_weights", lambda: load(path))
    with pytest.raises(JaxgenError, match="have SHA-256"):
        SceneCNN(weights="scenes").weights_to_begin_with()
