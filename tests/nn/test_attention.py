"""Goldens: CS231n assignment 3 (2022), Transformer_Captioning notebook; see
tests/reference/README.md for what is published and what was recomputed."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn import dropout as dropout_module
from jaxgen.nn.attention import causal_mask, full_attention
from jaxgen.nn.cheap_attention import low_rank_attention, random_features, window_attention
from jaxgen.nn.checking import rel_error
from jaxgen.nn.multi_head import MultiHeadAttention

REFERENCE = Path(__file__).parents[1] / "reference" / "attention.npz"
PUBLISHED_ERROR = {"self": 4e-4, "masked": 2e-4, "cross": 4e-4}


def replay(monkeypatch, *masks):
    """Let dropout use recorded masks, in their order; the list that is left over is returned."""
    left = list(masks)

    def recorded(key, shape, rate):
        mask = left.pop(0)
        assert mask.shape == shape and rate == 0.1
        return jnp.asarray(mask, bool)

    monkeypatch.setattr(dropout_module, "keep_mask", recorded)
    return left


def qkv(steps, seed=0, batch=2, heads=2, width=4):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(batch, steps, heads, width)) for _ in range(3))


@pytest.mark.parametrize("call", PUBLISHED_ERROR)
def test_attention_of_the_notebook(x64, monkeypatch, call):
    with np.load(REFERENCE, allow_pickle=False) as file:
        reference = dict(file)
    layers = ("query", "key", "value", "proj")
    params = {
        name: {part: np.float64(reference[f"{name}/{part}"]) for part in ("kernel", "bias")}
        for name in layers
    }
    module = MultiHeadAttention(width=8, heads=2, param_dtype=jnp.float64)
    other = reference["other"] if call == "cross" else reference["x"]
    mask = reference["mask"].astype(bool)[None, None] if call == "masked" else None

    def attend(train):
        return module.apply(
            {"params": params},
            reference["x"].astype(np.float64),
            other.astype(np.float64),
            mask,
            train,
            rngs={"dropout": jax.random.key(0)},
        )

    out = jax.jit(attend, static_argnums=0)(False)
    np.testing.assert_allclose(out, reference[f"{call}/eval"], rtol=1e-6, atol=1e-7)
    left = replay(monkeypatch, reference[f"{call}/keep"])
    train = jax.jit(attend, static_argnums=0)(True)
    assert not left
    np.testing.assert_allclose(train, reference[f"{call}/train"], rtol=1e-5, atol=1e-6)
    assert rel_error(train, reference[f"{call}/expected"]) < PUBLISHED_ERROR[call]


@pytest.mark.parametrize("window", [1, 2, 3, 5, 8])
def test_window_attention_is_full_attention_with_a_banded_mask(x64, window):
    for steps in (5, 8):
        q, k, v = qkv(steps)
        expected = jax.jit(full_attention)(q, k, v, causal_mask(steps, window)[None, None])
        out = jax.jit(window_attention, static_argnums=3)(q, k, v, window)
        np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_a_window_as_wide_as_the_sequence_is_full_attention(x64):
    q, k, v = qkv(6)
    full = jax.jit(full_attention)(q, k, v, causal_mask(6)[None, None])
    for window in (6, 100):
        out = jax.jit(window_attention, static_argnums=3)(q, k, v, window)
        np.testing.assert_allclose(out, full, rtol=1e-12)


def test_low_rank_attention_is_its_quadratic_form(x64):
    q, k, v = qkv(7)
    features = jax.jit(random_features, static_argnums=1)
    weights = np.einsum("nthr,nshr->nhts", features(q, 5), features(k, 5))
    weights = np.where(causal_mask(7)[None, None], weights, 0)
    weights = weights / weights.sum(-1, keepdims=True)
    expected = np.einsum("nhts,nshk->nthk", weights, v)
    for block in (2, 3, 7, 64):
        out = jax.jit(low_rank_attention, static_argnums=(3, 4))(q, k, v, 5, block)
        np.testing.assert_allclose(out, expected, rtol=1e-9)


def test_low_rank_attention_approaches_full_attention():
    q, k, v = (0.5 * x.astype(np.float32) for x in qkv(6))
    full = np.asarray(jax.jit(full_attention)(q, k, v, causal_mask(6)[None, None]))
    attend = jax.jit(low_rank_attention, static_argnums=3)
    errors = [np.abs(np.asarray(attend(q, k, v, rank)) - full).mean() for rank in (4, 4096)]
    assert errors[1] < 0.005 and errors[1] < errors[0] / 8


@pytest.mark.parametrize(
    "attend",
    [
        lambda q, k, v: window_attention(q, k, v, 32),
        lambda q, k, v: low_rank_attention(q, k, v, 16),
    ],
    ids=["window", "low_rank"],
)
def test_cost_is_linear_in_length(attend):
    """By the compiler's count of operations: twice the length, about twice the work."""
    work = []
    for steps in (512, 1024, 2048):
        shape = jax.ShapeDtypeStruct((1, steps, 2, 8), jnp.float32)
        total = jax.make_jaxpr(attend)(shape, shape, shape)
        work.append(sum(np.prod(v.aval.shape) for v in every_output(total.jaxpr)))
    assert work[1] / work[0] < 2.1 and work[2] / work[1] < 2.1


def every_output(jaxpr):
    """Results of all operations, those inside a scan once for each iteration."""
    for equation in jaxpr.eqns:
        yield from equation.outvars
        for name, inner in equation.params.items():
            if name in ("jaxpr", "call_jaxpr"):
                repeats = equation.params.get("length", 1)
                yield from list(every_output(getattr(inner, "jaxpr", inner))) * repeats


def test_options_that_do_not_fit_are_refused():
    x = jnp.ones((1, 3, 8))
    for options, message in [
        ({"width": 8, "heads": 3}, "3 heads do not divide"),
        ({"width": 8, "heads": 2, "window": 2, "rank": 4}, "either a window or a rank"),
    ]:
        with pytest.raises(ValueError, match=message):
            jax.eval_shape(MultiHeadAttention(**options).init, jax.random.key(0), x, x)


def test_keep_mask_has_the_rate_and_no_pattern():
    masks = np.stack(
        [dropout_module.keep_mask(jax.random.key(i), (64, 256), 0.1) for i in range(8)]
    )
    assert masks.mean() == pytest.approx(0.9, abs=4 * 0.3 / masks.size**0.5)
    dropped = 1.0 - masks.reshape(8, -1)
    correlation = np.corrcoef(dropped)[np.triu_indices(8, 1)]
    assert np.abs(correlation).max() < 5 / dropped.shape[1] ** 0.5
    for lag in (1, 2, 64, 256):
        both = (dropped[:, lag:] * dropped[:, :-lag]).mean()
        assert both == pytest.approx(0.01, abs=5 * 0.1 / dropped.size**0.5)
