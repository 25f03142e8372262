"""Captioners with soft attention beside their papers' equations, written in PyTorch.

N batch, T time, M tokens of an image, D their width, V vocabulary.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.captioning.captioners.show_attend_tell import ShowAttendTell, ShowAttendTellCaptioner
from jaxgen.captioning.captioners.up_down import UpDown, UpDownCaptioner
from jaxgen.captioning.losses import caption_token_losses, sum_over_time
from jaxgen.errors import JaxgenError

VOCAB, WIDTH, TOKENS = 9, 5, 4
CAPTIONS_NT = np.array([[1, 3, 4, 5, 2], [1, 6, 2, 0, 0], [1, 7, 8, 2, 0]], np.int32)
FEATURES_NMD = np.random.default_rng(0).normal(size=(3, TOKENS, WIDTH))
BATCH = {"captions": CAPTIONS_NT, "features": FEATURES_NMD}
MODULES = {"show_attend_tell": ShowAttendTellCaptioner, "up_down": UpDownCaptioner}


def prepared(name, **options):
    """A module in float64, and parameters of some size."""
    module = MODULES[name](
        VOCAB, hidden=6, word_dim=4, attention=3, param_dtype=jnp.float64, **options
    )
    shapes = jax.eval_shape(module.init, jax.random.key(0), FEATURES_NMD, CAPTIONS_NT)["params"]
    rng = np.random.default_rng(1)
    return module, {key: rng.normal(0, 0.7, leaf.shape) for key, leaf in shapes.items()}


def lstm(torch, a, c):
    """Gates in the order input, forget, output, candidate."""
    i, f, o, g = a.chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def show_attend_tell(torch, p, v, words):
    """Xu et al. 2015: f_init of section 3.1.2, and equations 1 to 7, 9, 13 and 4.2.1's gate."""
    mean = v.mean(dim=1)
    h = (mean @ p["W_h0"] + p["b_h0"]).tanh()
    c = (mean @ p["W_c0"] + p["b_c0"]).tanh()
    logits, alphas = [], []
    for t in range(words.shape[1]):
        y = p["W_embed"][words[:, t]]
        score = torch.stack(
            [
                (v[:, m] @ p["W_keys"] + p["b_keys"] + h @ p["W_query"]).tanh()
                @ p["attention_scorer"]
                for m in range(v.shape[1])
            ],
            dim=1,
        )
        alpha = score.softmax(dim=1)
        beta = (h @ p["W_gate"] + p["b_gate"]).sigmoid()
        z = beta * sum(alpha[:, m, None] * v[:, m] for m in range(v.shape[1]))
        h, c = lstm(torch, y @ p["Wx"] + h @ p["Wh"] + z @ p["W_context"] + p["b"], c)
        deep = y + h @ p["W_deep_hidden"] + z @ p["W_deep_context"]
        logits.append(deep @ p["W_vocab"] + p["b_vocab"])
        alphas.append(alpha)
    return torch.stack(logits, dim=1), torch.stack(alphas, dim=1)


def up_down(torch, p, v, words):
    """Anderson et al. 2018, equations 2 to 7."""
    h1 = c1 = h2 = c2 = torch.zeros(len(v), 6, dtype=v.dtype)
    logits, alphas = [], []
    W1 = torch.cat([p["W_attention"][:6], p["W_mean"], p["Wx"], p["W_attention"][6:]])
    W2 = torch.cat([p["W_context"], p["W_language"][6:], p["W_language"][:6]])
    for t in range(words.shape[1]):
        x1 = torch.cat([h2, v.mean(dim=1), p["W_embed"][words[:, t]]], dim=1)
        h1, c1 = lstm(torch, torch.cat([x1, h1], dim=1) @ W1 + p["b_attention"], c1)
        score = torch.stack(
            [
                (v[:, m] @ p["W_keys"] + h1 @ p["W_query"]).tanh() @ p["attention_scorer"]
                for m in range(v.shape[1])
            ],
            dim=1,
        )
        alpha = score.softmax(dim=1)
        looked = (alpha[..., None] * v).sum(dim=1)
        x2 = torch.cat([looked, h1], dim=1)
        # The state before comes last, as W2 has its rows: h1 is the language LSTM's input.
        joined = torch.cat([x2[:, :5], h2, x2[:, 5:]], dim=1)
        h2, c2 = lstm(torch, joined @ W2 + p["b_language"], c2)
        logits.append(h2 @ p["W_vocab"] + p["b_vocab"])
        alphas.append(alpha)
    return torch.stack(logits, dim=1), torch.stack(alphas, dim=1)


EQUATIONS = {"show_attend_tell": show_attend_tell, "up_down": up_down}


@pytest.mark.parametrize("name", MODULES)
def test_logits_weights_loss_and_gradients_are_those_of_the_equations(x64, name):
    torch = pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is absent")
    options = {"doubly_stochastic": 0.7} if name == "show_attend_tell" else {}
    module, params = prepared(name, **options)
    p = {key: torch.tensor(value, requires_grad=True) for key, value in params.items()}
    words = torch.tensor(CAPTIONS_NT[:, :-1].astype(np.int64))
    targets = torch.tensor(CAPTIONS_NT[:, 1:].astype(np.int64))
    logits, alphas = EQUATIONS[name](torch, p, torch.tensor(FEATURES_NMD), words)
    by_word = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=0, reduction="sum"
    )
    paid = (alphas * (words != 0)[..., None]).sum(dim=1)
    term = options.get("doubly_stochastic", 0) * ((1 - paid) ** 2).sum()
    loss = (by_word + term) / 3
    loss.backward()

    read = CAPTIONS_NT[:, :-1]
    apply = jax.jit(functools.partial(module.apply, mutable="intermediates"))
    made, recorded = apply({"params": params}, FEATURES_NMD, read)
    np.testing.assert_allclose(made, logits.detach(), rtol=1e-9, atol=1e-11)
    (weights,) = recorded["intermediates"]["weights"]
    np.testing.assert_allclose(weights[:, 0], alphas.detach(), rtol=1e-9)

    def objective(params):
        return sum_over_time(*caption_token_losses(module, params, BATCH, 0, train=True))

    value, gradients = jax.jit(jax.value_and_grad(objective))(params)
    np.testing.assert_allclose(value, loss.item(), rtol=1e-10)
    assert gradients.keys() == p.keys()
    for key, gradient in gradients.items():
        assert np.any(gradient != 0), key
        np.testing.assert_allclose(gradient, p[key].grad, rtol=1e-7, atol=1e-11, err_msg=key)


def test_the_term_counts_in_training_alone_and_not_for_padding():
    module = ShowAttendTellCaptioner(VOCAB, hidden=6, word_dim=4, attention=3)
    features = FEATURES_NMD.astype(np.float32)
    params = jax.jit(module.init)(jax.random.key(0), features, CAPTIONS_NT)["params"]
    wider = np.pad(CAPTIONS_NT, ((0, 0), (0, 3)))

    def total(captions, train, **options):
        batch = {"captions": captions, "features": features}
        changed = module.clone(**options)
        return float(
            jax.jit(lambda p: caption_token_losses(changed, p, batch, 0, train=train)[0].sum())(
                params
            )
        )

    words = total(CAPTIONS_NT, False)
    assert total(CAPTIONS_NT, True, doubly_stochastic=0.0) == pytest.approx(words, rel=1e-6)
    once = total(CAPTIONS_NT, True) - words
    assert once > 0.1
    assert total(CAPTIONS_NT, True, doubly_stochastic=2.0) - words == pytest.approx(
        2 * once, rel=1e-4
    )
    # One more step is read where the longest caption ends; nothing but it is added by padding.
    assert total(wider, True) - total(wider, False) == pytest.approx(
        total(np.pad(CAPTIONS_NT, ((0, 0), (0, 1))), True) - words, rel=1e-5
    )


def test_one_token_leaves_nothing_to_choose():
    """The term of a vector's single token would be a constant; it is left out."""
    module = ShowAttendTellCaptioner(VOCAB, hidden=6, word_dim=4, attention=3)
    batch = {"captions": CAPTIONS_NT, "features": FEATURES_NMD[:, 0].astype(np.float32)}
    params = jax.jit(module.init)(jax.random.key(0), batch["features"], CAPTIONS_NT)["params"]
    losses = [
        jax.jit(functools.partial(caption_token_losses, module, train=train), static_argnums=2)(
            params, batch, 0
        )[0]
        for train in (False, True)
    ]
    np.testing.assert_array_equal(*losses)


@pytest.mark.parametrize("captioner", [ShowAttendTell(), UpDown()])
def test_pictures_need_an_encoder(captioner):
    with pytest.raises(JaxgenError, match="looks at tokens of an image"):
        captioner.module(VOCAB, (64, 64, 3), 7)
    with pytest.raises(ValueError, match=r"got shape \(1, 2, 2, 3\)"):
        module = captioner.module(VOCAB, (4, 3), 7)
        jax.eval_shape(module.init, jax.random.key(0), np.ones((1, 2, 2, 3)), CAPTIONS_NT[:1])
