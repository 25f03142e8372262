"""The encoder of tokens beside PyTorch's `nn.TransformerEncoder`, of the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.captioning.captioners.grid_encoder import GridEncoder
from jaxgen.captioning.captioners.transformer import Transformer, TransformerCaptioner

WIDTH, HEADS, INNER, LAYERS, TOKENS = 8, 2, 12, 2, 5
TOKENS_NMD = np.random.default_rng(0).normal(size=(3, TOKENS, WIDTH))


def prepared():
    module = GridEncoder(WIDTH, HEADS, INNER, LAYERS, 0.1, jnp.float64)
    shapes = jax.eval_shape(module.init, jax.random.key(0), TOKENS_NMD)["params"]
    rng = np.random.default_rng(1)
    return module, jax.tree.map(lambda leaf: rng.normal(0, 0.5, leaf.shape), shapes)


def test_it_computes_what_pytorchs_encoder_does(x64):
    torch = pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is absent")
    module, params = prepared()
    layer = torch.nn.TransformerEncoderLayer(
        WIDTH, HEADS, INNER, dropout=0.0, batch_first=True, dtype=torch.float64
    )
    twin = torch.nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
    state = {}
    for index in range(LAYERS):
        attention, name = params[f"self_attn_{index}"], f"layers.{index}."
        parts = [attention[part] for part in ("query", "key", "value")]
        state[name + "self_attn.in_proj_weight"] = np.concatenate([p["kernel"].T for p in parts])
        state[name + "self_attn.in_proj_bias"] = np.concatenate([p["bias"] for p in parts])
        state[name + "self_attn.out_proj.weight"] = attention["proj"]["kernel"].T
        state[name + "self_attn.out_proj.bias"] = attention["proj"]["bias"]
        for number in (1, 2):
            dense, norm = params[f"linear{number}_{index}"], params[f"norm{number}_{index}"]
            state[f"{name}linear{number}.weight"] = dense["kernel"].T
            state[f"{name}linear{number}.bias"] = dense["bias"]
            state[f"{name}norm{number}.weight"] = norm["scale"]
            state[f"{name}norm{number}.bias"] = norm["bias"]
    twin.load_state_dict({key: torch.tensor(value.copy()) for key, value in state.items()})
    expected = twin(torch.tensor(TOKENS_NMD + params["place"]))
    made = jax.jit(module.apply)({"params": params}, TOKENS_NMD)
    np.testing.assert_allclose(made, expected.detach(), rtol=1e-9, atol=1e-11)


def test_every_token_sees_all_others_and_its_place(x64):
    module, params = prepared()
    apply = jax.jit(module.apply)
    before = apply({"params": params}, TOKENS_NMD)
    changed = TOKENS_NMD.copy()
    changed[0, 1] += 1
    after = apply({"params": params}, changed)
    assert np.all(np.any(after[0] != before[0], axis=1))
    np.testing.assert_array_equal(after[1:], before[1:])
    turned = apply({"params": params}, TOKENS_NMD[:, ::-1])
    assert np.max(np.abs(turned[:, ::-1] - before)) > 1e-3


def test_dropout_acts_in_training_alone(x64):
    module, params = prepared()

    def made(train, seed):
        rngs = {"dropout": jax.random.key(seed)}
        return module.apply({"params": params}, TOKENS_NMD, train, rngs=rngs)

    np.testing.assert_array_equal(made(False, 0), made(False, 1))
    assert np.any(made(True, 0) != made(True, 1))


def test_a_captioner_has_as_many_layers_as_are_asked_for():
    features, captions = np.ones((1, 4, 3), np.float32), np.ones((1, 2), np.int32)
    for layers in (0, 1, 3):
        captioner = Transformer(width=8, heads=2, layers=1, feed_forward=8, encoder_layers=layers)
        module = captioner.module(7, (4, 3), 5)
        assert isinstance(module, TransformerCaptioner)
        params = jax.eval_shape(module.init, jax.random.key(0), features, captions)["params"]
        encoder = params.get("encoder", {})
        assert len([name for name in encoder if name.startswith("self_attn")]) == layers
