"""That the network of scenes can be trained anew; what it has learnt is told by its features."""

import hashlib

import jax
import numpy as np
import pytest

from jaxgen.data.scenes import feature_training, features
from jaxgen.data.scenes.features import Heads, SceneNet


@pytest.mark.parametrize("stage", ["_single_digits", "_scenes"])
def test_a_step_has_gradients_of_all_parameters_and_new_averages(glyphs, stage):
    batches = getattr(feature_training, stage)(np.random.default_rng(0), glyphs)
    image, targets = next(batches)
    net = features.load_weights()
    seen = jax.eval_shape(SceneNet().apply, net, np.zeros((1, 64, 64, 3), np.uint8))
    heads = jax.eval_shape(Heads().init, jax.random.key(0), *seen)
    params, stats = {"net": net["params"], "heads": heads["params"]}, net["batch_stats"]

    def step(*arguments):
        return jax.value_and_grad(feature_training._loss, has_aux=True)(*arguments)

    (loss, updated), gradients = jax.eval_shape(step, params, stats, image, targets)
    assert loss.shape == ()
    assert jax.tree.map(np.shape, updated) == jax.tree.map(np.shape, stats)
    assert jax.tree.map(np.shape, gradients) == jax.tree.map(np.shape, params)


def test_averages_move_in_training_alone():
    net = features.load_weights()
    crop = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    apply = SceneNet(train=True).apply
    _, updated = jax.jit(lambda image: apply(net, image, mutable=["batch_stats"]))(crop)
    before, after = (
        tree["batch_stats"]["BatchNorm_0"]["mean"] for tree in (net, jax.device_get(updated))
    )
    assert np.abs(after - before).min() > 0
    _, unchanged = jax.jit(lambda image: SceneNet().apply(net, image, mutable=["batch_stats"]))(
        crop
    )
    jax.tree.map(np.testing.assert_array_equal, unchanged["batch_stats"], net["batch_stats"])


def test_the_command_writes_the_weights_and_prints_their_hash(monkeypatch, tmp_path, capsys):
    path, net = tmp_path / "made" / "weights.npz", features.load_weights()
    monkeypatch.setattr(feature_training, "WEIGHTS", path)
    monkeypatch.setattr(feature_training, "train", lambda: net)
    feature_training.main()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f'SHA256 = "{sha256}"\n'
    written = features.load_weights(path, sha256)
    jax.tree.map(np.testing.assert_array_equal, written, net)
