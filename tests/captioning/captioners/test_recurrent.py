"""Goldens: CS231n assignment 3 (2022), RNN_Captioning and LSTM_Captioning notebooks, as printed;
gradients of the whole model from the course's NumPy code (tests/reference/README.md)."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxgen.captioning.captioners.recurrent import LSTMCaptioner, RNNCaptioner
from jaxgen.captioning.losses import sum_over_time, token_cross_entropy
from jaxgen.nn.checking import rel_error
from jaxgen.nn.recurrence import (
    alternating_sum,
    lstm_sequence,
    lstm_step,
    rnn_sequence,
    rnn_step,
)

CELLS = {"rnn": RNNCaptioner, "lstm": LSTMCaptioner}
REFERENCE = Path(__file__).parents[2] / "reference" / "captioning.npz"


def span(low, high, *shape):
    return np.linspace(low, high, int(np.prod(shape))).reshape(shape)


def check_gradients(f, *arguments):
    """Compare `jax.grad` with central differences, for a fixed projection of the output of `f`.

    In one compiled program, unlike `jaxgen.nn.checking`, since whole models have many numbers.
    """
    shape = jax.eval_shape(f, *arguments).shape
    weights = np.cos(np.arange(np.prod(shape))).reshape(shape)
    flat, unflatten = ravel_pytree(arguments)

    def scalar(flat):
        return jnp.sum(f(*unflatten(flat)) * weights)

    offset = 1e-5
    offsets = offset * np.eye(flat.size)
    both = jax.jit(
        lambda flat: (
            jax.grad(scalar)(flat),
            jax.lax.map(lambda d: scalar(flat + d) - scalar(flat - d), offsets) / (2 * offset),
        )
    )
    assert rel_error(*both(flat)) < 1e-6


def test_rnn_step_table(x64):
    h = jax.jit(rnn_step)(
        span(-0.4, 0.7, 3, 10),
        span(-0.2, 0.5, 3, 4),
        span(-0.1, 0.9, 10, 4),
        span(-0.3, 0.7, 4, 4),
        span(-0.2, 0.4, 4),
    )
    expected = [
        [-0.58172089, -0.50182032, -0.41232771, -0.31410098],
        [0.66854692, 0.79562378, 0.87755553, 0.92795967],
        [0.97934501, 0.99144213, 0.99646691, 0.99854353],
    ]
    np.testing.assert_allclose(h, expected, atol=5.1e-9, rtol=0)  # printed to 8 decimals


def test_rnn_sequence_table(x64):
    h = jax.jit(rnn_sequence)(
        span(-0.1, 0.3, 2, 3, 4),
        span(-0.3, 0.1, 2, 5),
        span(-0.2, 0.4, 4, 5),
        span(-0.4, 0.1, 5, 5),
        span(-0.7, 0.1, 5),
    )
    expected = [
        [
            [-0.42070749, -0.27279261, -0.11074945, 0.05740409, 0.22236251],
            [-0.39525808, -0.22554661, -0.0409454, 0.14649412, 0.32397316],
            [-0.42305111, -0.24223728, -0.04287027, 0.15997045, 0.35014525],
        ],
        [
            [-0.55857474, -0.39065825, -0.19198182, 0.02378408, 0.23735671],
            [-0.27150199, -0.07088804, 0.13562939, 0.33099728, 0.50158768],
            [-0.51014825, -0.30524429, -0.06755202, 0.17806392, 0.40333043],
        ],
    ]
    np.testing.assert_allclose(h, expected, atol=5.1e-9, rtol=0)


def test_lstm_step_tables(x64):
    h, c = jax.jit(lstm_step)(
        span(-0.4, 1.2, 3, 4),
        span(-0.3, 0.7, 3, 5),
        span(-0.4, 0.9, 3, 5),
        span(-2.1, 1.3, 4, 20),
        span(-0.7, 2.2, 5, 20),
        span(0.3, 0.7, 20),
    )
    expected_h = [
        [0.24635157, 0.28610883, 0.32240467, 0.35525807, 0.38474904],
        [0.49223563, 0.55611431, 0.61507696, 0.66844003, 0.7159181],
        [0.56735664, 0.66310127, 0.74419266, 0.80889665, 0.858299],
    ]
    expected_c = [
        [0.32986176, 0.39145139, 0.451556, 0.51014116, 0.56717407],
        [0.66382255, 0.76674007, 0.87195994, 0.97902709, 1.08751345],
        [0.74192008, 0.90592151, 1.07717006, 1.25120233, 1.42395676],
    ]
    np.testing.assert_allclose(h, expected_h, atol=5.1e-9, rtol=0)
    np.testing.assert_allclose(c, expected_c, atol=5.1e-9, rtol=0)


def test_lstm_sequence_table(x64):
    h = jax.jit(lstm_sequence)(
        span(-0.4, 0.6, 2, 3, 5),
        span(-0.4, 0.8, 2, 4),
        span(-0.2, 0.9, 5, 16),
        span(-0.3, 0.6, 4, 16),
        span(0.2, 0.7, 16),
    )
    expected = [
        [
            [0.01764008, 0.01823233, 0.01882671, 0.0194232],
            [0.11287491, 0.12146228, 0.13018446, 0.13902939],
            [0.31358768, 0.33338627, 0.35304453, 0.37250975],
        ],
        [
            [0.45767879, 0.4761092, 0.4936887, 0.51041945],
            [0.6704845, 0.69350089, 0.71486014, 0.7346449],
            [0.81733511, 0.83677871, 0.85403753, 0.86935314],
        ],
    ]
    np.testing.assert_allclose(h, expected, atol=5.1e-9, rtol=0)


@pytest.mark.parametrize(("step", "gates"), [(rnn_step, 1), (lstm_step, 4)])
def test_step_gradients_are_numerical_ones(x64, step, gates):
    states = [np.sin(span(1, 9, 2, 3))] * (2 if gates == 4 else 1)
    kernels = [
        np.cos(span(0, 7, 4, 3 * gates)),
        np.sin(span(0, 5, 3, 3 * gates)),
        span(-1, 1, 3 * gates),
    ]
    check_gradients(
        lambda *a: jnp.concatenate(jax.tree.leaves(step(*a))), span(-1, 1, 2, 4), *states, *kernels
    )


@pytest.mark.parametrize(("sequence", "gates"), [(rnn_sequence, 1), (lstm_sequence, 4)])
def test_sequence_gradients_are_numerical_ones(x64, sequence, gates):
    check_gradients(
        sequence,
        np.cos(span(0, 9, 2, 5, 4)),
        np.sin(span(1, 9, 2, 3)),
        np.cos(span(0, 7, 4, 3 * gates)),
        np.sin(span(0, 5, 3, 3 * gates)),
        span(-1, 1, 3 * gates),
    )


@pytest.mark.parametrize("cell", CELLS)
def test_captioner_has_the_published_loss_and_gradients(x64, cell):
    with np.load(REFERENCE, allow_pickle=False) as reference:
        captions, features = reference["captions"], reference[f"{cell}/features"]
        module = CELLS[cell](vocab_size=3, hidden=40, word_dim=30, param_dtype=jnp.float64)
        params = jax.eval_shape(module.init, jax.random.key(0), features, captions[:, :-1])
        params = jax.tree.map(lambda x: span(-1.4, 1.3, *x.shape), params)
        loss, gradients = jax.jit(jax.value_and_grad(caption_loss(module, features, captions)))(
            params
        )
        np.testing.assert_allclose(loss, reference[f"{cell}/loss"], rtol=1e-12)
        np.testing.assert_allclose(loss, reference[f"{cell}/published_loss"], rtol=1e-11)
        names = {name for name in reference if name.startswith(f"{cell}/grad/")}
        assert names == {f"{cell}/grad/{name}" for name in gradients["params"]}
        for name, gradient in gradients["params"].items():
            # Where positive and negative parts cancel, rounding is all that is left: atol.
            np.testing.assert_allclose(
                gradient, reference[f"{cell}/grad/{name}"], rtol=1e-8, atol=1e-14
            )


def caption_loss(module, features, captions):
    def loss(params):
        logits = module.apply(params, features, captions[:, :-1])
        return sum_over_time(token_cross_entropy(logits, captions[:, 1:]), captions[:, 1:])

    return loss


@pytest.mark.parametrize("cell", CELLS)
def test_whole_model_gradients_are_numerical_ones(x64, cell):
    """Embedding, projection, cell, scores and loss together, in every parameter."""
    module = CELLS[cell](vocab_size=5, hidden=3, word_dim=2, param_dtype=jnp.float64)
    features = np.sin(span(0, 8, 2, 3))
    captions = np.array([[1, 3, 4, 2, 0], [1, 4, 4, 3, 2]])
    params = jax.eval_shape(module.init, jax.random.key(0), features, captions)
    params = jax.tree.map(lambda x: np.cos(span(0, 9, *x.shape)), params)
    leaves, structure = jax.tree.flatten(params)
    loss = caption_loss(module, features, captions)
    check_gradients(lambda *leaves: loss(jax.tree.unflatten(structure, leaves))[None], *leaves)


def module_part(function, **params):
    """A function of a captioner with the given parameters; the others do not matter."""
    module = RNNCaptioner(vocab_size=5, hidden=4, word_dim=3, param_dtype=jnp.float64)
    others = jax.eval_shape(module.init, jax.random.key(0), np.ones((1, 2)), np.ones((1, 2), int))
    others = jax.tree.map(lambda x: np.zeros(x.shape), others["params"])
    return module.apply({"params": others | params}, method=function)


def test_embedding_table_and_gradient(x64):
    words = np.array([[0, 3, 1, 2], [2, 1, 0, 3]])
    table = span(0, 1, 5, 3)
    vectors = module_part(lambda module: module.embed(words), W_embed=table)
    expected = [
        [[0.0, 0.07142857, 0.14285714], [0.64285714, 0.71428571, 0.78571429]],
        [[0.42857143, 0.5, 0.57142857], [0.21428571, 0.28571429, 0.35714286]],
    ]
    np.testing.assert_allclose(vectors[:, :2], expected, atol=5.1e-9, rtol=0)
    np.testing.assert_array_equal(vectors, table[words])
    check_gradients(lambda table: module_part(lambda m: m.embed(words), W_embed=table), table)


def test_temporal_affine_gradient_is_the_numerical_one(x64):
    check_gradients(
        lambda h, W, b: module_part(lambda m: m.scores(h), W_vocab=W, b_vocab=b),
        np.sin(span(0, 9, 2, 3, 4)),
        np.cos(span(0, 7, 4, 5)),
        span(-1, 1, 5),
    )


@pytest.mark.parametrize("cell", CELLS)
def test_initial_values(cell):
    module = CELLS[cell](vocab_size=100, hidden=64, word_dim=32)
    params = jax.jit(module.init)(jax.random.key(0), np.zeros((1, 50)), np.zeros((1, 2), int))
    params = jax.tree.map(np.asarray, params["params"])
    assert all(np.all(params[name] == 0) for name in ("b", "b_proj", "b_vocab"))
    assert params["W_embed"].std() == pytest.approx(0.01, rel=0.05)
    for name, fan_in in {"W_proj": 50, "Wx": 32, "Wh": 64, "W_vocab": 64}.items():
        assert params[name].std() == pytest.approx(fan_in**-0.5, rel=0.05)
        assert np.max(np.abs(params[name])) * fan_in**0.5 > 2.5  # a normal, not truncated


def test_dropout_acts_on_training_only():
    module = RNNCaptioner(vocab_size=7, hidden=8, word_dim=4, dropout=0.5)
    features, captions = np.ones((2, 3)), np.ones((2, 4), int)
    params = jax.jit(module.init)(jax.random.key(0), features, captions)
    plain = jax.jit(module.clone(dropout=0.0).apply)(params, features, captions)
    np.testing.assert_array_equal(jax.jit(module.apply)(params, features, captions), plain)

    @jax.jit
    def train(seed):
        return module.apply(
            params, features, captions, True, rngs={"dropout": jax.random.key(seed)}
        )

    a, b, again = np.asarray(train(0)), np.asarray(train(1)), train(0)
    assert np.any(a != plain) and np.any(a != b)
    np.testing.assert_array_equal(a, again)


def test_features_of_the_wrong_rank_are_refused():
    init = RNNCaptioner(vocab_size=7).init
    with pytest.raises(ValueError, match=r"features \(N, D\), got shape \(2, 8, 3\)"):
        jax.eval_shape(init, jax.random.key(0), np.ones((2, 8, 3)), np.ones((2, 4), int))


def test_alternating_sum_compares_even_and_odd_positions():
    x = np.array([[0.5, 0.9, 0.1, 0.2], [0.5, 0.2, 0.1, 0.2], [3.0, -1.0, -2.0, 2.5]])
    np.testing.assert_allclose(jax.jit(alternating_sum)(x), [1, 0, 1], atol=1e-6)
    with pytest.raises(ValueError, match="even number"):
        alternating_sum(x[:, :3])
