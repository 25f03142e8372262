"""Goldens: CS231n assignment 3 (2022), Transformer_Captioning notebook; see
tests/reference/README.md for what is published and what was recomputed."""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from jaxgen.captioning import decoding
from jaxgen.captioning.captioners.transformer import TransformerCaptioner, positional_encoding
from jaxgen.nn import dropout as dropout_module
from jaxgen.nn.checking import rel_error

REFERENCE = Path(__file__).parents[2] / "reference"


def load(name):
    with np.load(REFERENCE / name, allow_pickle=False) as file:
        return dict(file)


def notebook_parameters():
    """The reference's linspace parameters, from PyTorch's names and layout to ours."""
    params = {}
    for name, shape in json.loads((REFERENCE / "transformer_parameters.json").read_text()):
        value = np.linspace(-1.4, 1.3, int(np.prod(shape))).reshape(shape)
        *path, leaf = name.replace("layers.", "layers_").split(".")
        if path == ["embedding"]:
            path, leaf = [], "embedding"
        elif leaf == "weight":
            leaf = "scale" if "norm" in path[-1] else "kernel"
            value = value.T
        params[*path, leaf] = value
    return {"params": unflatten_dict(params)}


def test_positional_encoding_of_the_notebook(monkeypatch):
    reference = load("positional_encoding.npz")
    encoded = reference["x"] + positional_encoding(2, 6)[None]
    np.testing.assert_allclose(encoded, reference["eval"], rtol=1e-6)
    monkeypatch.setattr(
        dropout_module, "keep_mask", lambda *_: jnp.asarray(reference["keep"], bool)
    )
    train = dropout_module.dropout(encoded, 0.1, jax.random.key(0))
    np.testing.assert_allclose(train, reference["train"], rtol=1e-6)
    assert rel_error(train, reference["expected"]) < 1.1e-4


def test_captioner_of_the_notebook(x64, monkeypatch):
    reference = load("transformer.npz")
    module = TransformerCaptioner(vocab_size=3, width=30, param_dtype=jnp.float64)
    params = notebook_parameters()
    features, captions = reference["features"], reference["captions"]
    initial = jax.eval_shape(module.init, jax.random.key(0), features, captions)
    assert jax.tree.map(jnp.shape, initial) == jax.tree.map(jnp.shape, params)
    logits = jax.jit(module.apply)(params, features, captions)
    np.testing.assert_allclose(logits, reference["eval"], rtol=1e-6)

    masks = [reference[name] for name in sorted(reference) if name.startswith("keep/")]

    def recorded(key, shape, rate):
        mask = masks.pop(0)
        assert mask.shape == shape and rate == 0.1
        return jnp.asarray(mask, bool)

    monkeypatch.setattr(dropout_module, "keep_mask", recorded)
    rngs = {"dropout": jax.random.key(0)}
    train = jax.jit(functools.partial(module.apply, rngs=rngs), static_argnums=3)(
        params, features, captions, True
    )
    assert not masks
    np.testing.assert_allclose(train, reference["train"], rtol=1e-6)
    assert rel_error(train, reference["expected"]) < 6e-6


def test_null_has_no_gradient_in_the_embedding():
    module = TransformerCaptioner(vocab_size=5, width=8, feed_forward=8, layers=1)
    features, captions = np.ones((1, 3), np.float32), np.array([[1, 3, 0, 0]])
    params = jax.jit(module.init)(jax.random.key(0), features, captions)
    logits = lambda params: jnp.sum(jnp.sin(module.apply(params, features, captions)))  # noqa: E731
    gradient = np.asarray(jax.jit(jax.grad(logits))(params)["params"]["embedding"])
    np.testing.assert_array_equal(np.any(gradient != 0, axis=1), [False, True, False, True, False])


def test_initial_values():
    module = TransformerCaptioner(vocab_size=400, width=64, layers=1)
    params = jax.jit(module.init)(jax.random.key(0), np.ones((1, 50)), np.ones((1, 2), int))
    params = jax.tree.map(np.asarray, params["params"])
    for weights in (
        params["embedding"],
        params["visual_projection"]["kernel"],
        params["layers_0"]["self_attn"]["query"]["kernel"],
        params["layers_0"]["linear2"]["kernel"],
    ):
        assert weights.std() == pytest.approx(0.02, rel=0.05)
    assert np.all(params["layers_0"]["cross_attn"]["proj"]["bias"] == 0)
    assert np.all(params["layers_0"]["norm2"]["scale"] == 1)
    for values in params["output"].values():  # uniform within 1/8
        assert 0.12 < np.abs(values).max() <= 1 / 8
        assert values.std() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)


def test_a_wide_vector_is_read_as_tokens():
    wide = TransformerCaptioner(5, width=8, feed_forward=8, layers=1, memory_tokens=4)
    plain = wide.clone(memory_tokens=1)
    features = np.sin(np.arange(24, dtype=np.float32)).reshape(2, 12)
    captions = np.array([[1, 3], [1, 4]])
    params = jax.jit(wide.init)(jax.random.key(0), features, captions)
    np.testing.assert_array_equal(
        jax.jit(wide.apply)(params, features, captions),
        jax.jit(plain.apply)(params, features.reshape(2, 4, 3), captions),
    )
    with pytest.raises(ValueError, match=r"\(2, 13\) cannot be read as 4 tokens"):
        jax.eval_shape(wide.apply, params, np.ones((2, 13)), captions)


def test_memory_attention_is_recorded_on_demand():
    module = TransformerCaptioner(5, width=8, feed_forward=8, layers=2)
    features, captions = np.ones((2, 6, 3), np.float32), np.array([[1, 3], [1, 4]])
    params = jax.jit(module.init)(jax.random.key(0), features, captions)
    apply = jax.jit(functools.partial(module.apply, mutable="intermediates"))
    _, recorded = apply(params, features, captions)
    for layer in ("layers_0", "layers_1"):
        (weights,) = recorded["intermediates"][layer]["cross_attn"]["weights"]
        assert weights.shape == (2, 2, 2, 6)
        np.testing.assert_allclose(np.asarray(weights).sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize("options", [{"window": 2}, {"rank": 8}], ids=["window", "rank"])
def test_cheap_attention_decodes_as_it_trains(options):
    """Stepped logits equal the whole pass, beams included, and no position sees the future."""
    module = TransformerCaptioner(7, width=8, feed_forward=8, max_length=6, **options)
    features = np.sin(np.arange(6, dtype=np.float32)).reshape(2, 3)
    captions = np.array([[1, 3, 4, 5, 6], [1, 6, 5, 3, 3]], np.int32)
    params = jax.jit(module.init)(jax.random.key(0), features, captions)
    params = jax.tree.map(  # in NumPy, where an operation needs no compilation
        lambda x: x + 0.5 * np.cos(np.arange(x.size, dtype=x.dtype)).reshape(x.shape),
        jax.device_get(params),
    )
    apply = jax.jit(module.apply)
    whole = np.asarray(apply(params, features, captions))
    step = jax.jit(functools.partial(module.apply, method="step"))
    carry = jax.jit(functools.partial(module.apply, method="start"))(params, features)
    for t in range(5):
        carry, logits = step(params, carry, captions[:, t])
        np.testing.assert_allclose(logits, whole[:, t], rtol=1e-4, atol=1e-5)
    changed = captions.copy()
    changed[:, 3:] = 3
    after = np.asarray(apply(params, features, changed))
    np.testing.assert_array_equal(after[:, :3], whole[:, :3])
    changed = captions.copy()
    changed[:, 1] = 4
    assert np.any(np.asarray(apply(params, features, changed))[:, 1:] != whole[:, 1:])


def test_too_long_captions_are_refused():
    module = TransformerCaptioner(5, width=8, feed_forward=8, layers=1, max_length=3)
    params = jax.eval_shape(module.init, jax.random.key(0), np.ones((1, 2)), np.ones((1, 3), int))
    with pytest.raises(ValueError, match="4 words exceed max_length 3"):
        jax.eval_shape(module.apply, params, np.ones((1, 2)), np.ones((1, 4), int))
    start = functools.partial(module.apply, method="start")
    carry = jax.eval_shape(start, params, np.ones((1, 2)))
    step = functools.partial(module.apply, params, method="step")
    with pytest.raises(ValueError, match="max_length 4 exceeds the captioner's 3"):
        decoding.greedy(step, carry, decoding.SpecialWords(), 4)
