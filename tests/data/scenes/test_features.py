"""The network of scenes: its weights, and what its features tell."""

import jax
import numpy as np
import pytest

from jaxgen.data.scenes import features as scene_features
from jaxgen.data.scenes.rendering import EMPTY, cut_glyphs, draw, one_hot, sample_facts
from jaxgen.errors import JaxgenError


def test_weights_are_the_recorded_ones(tmp_path):
    contents = scene_features.WEIGHTS.read_bytes()
    assert len(contents) < 2 * 2**20
    damaged = tmp_path / "weights.npz"
    damaged.write_bytes(contents[:-1] + bytes([contents[-1] ^ 1]))
    with pytest.raises(JaxgenError, match="have SHA-256"):
        scene_features.load_weights(damaged)
    with pytest.raises(JaxgenError, match="cannot read the feature weights"):
        scene_features.load_weights(tmp_path / "absent.npz")


def test_weights_have_the_networks_shapes():
    def init(key):
        image = np.zeros((1, 64, 64, 3), np.uint8)
        return scene_features.SceneNet().init(key, image)

    expected = jax.eval_shape(init, jax.random.key(0))
    found = scene_features.load_weights()
    assert jax.tree.map(np.shape, found) == jax.tree.map(lambda leaf: leaf.shape, expected)


def test_features_tell_colours_and_values_of_unseen_digits(few_digits, glyphs):
    """A linear readout of the vector, fitted on scenes of training digits, one digit each."""

    def look(glyphs, size, seed):
        rng = np.random.default_rng(seed)
        facts = sample_facts(rng, size)
        facts[:, 1:] = EMPTY
        image, _ = draw(rng, facts, glyphs)
        weights = scene_features.load_weights()
        blocks = [image[i : i + 128] for i in range(0, size, 128)]
        hidden = np.concatenate([scene_features.extract(weights, b)[1] for b in blocks])
        return hidden.astype(np.float64), one_hot(facts)[:, 0, 1:]

    hidden, known = look(glyphs, 768, seed=0)
    ridge = hidden.T @ hidden + 10 * np.eye(hidden.shape[1])
    readout = np.linalg.solve(ridge, hidden.T @ known)
    unseen = cut_glyphs(few_digits[1]["image"], few_digits[1]["label"])
    hidden, known = look(unseen, 256, seed=1)
    told = hidden @ readout
    for name, columns, least in (("value", np.s_[:10], 0.85), ("colour", np.s_[10:18], 0.95)):
        right = told[:, columns].argmax(1) == known[:, columns].argmax(1)
        assert right.mean() > least, name
