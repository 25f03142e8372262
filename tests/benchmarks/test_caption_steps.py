"""Made-up captions, and the operations of a training step that are counted by hand."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import caption_steps
from benchmarks.caption_steps import CONFIGS, FEATURES, TOKENS, VOCAB, Data
from benchmarks.measuring import plain_flops
from jaxgen.captioning.losses import sum_over_time, token_cross_entropy
from jaxgen.nn.recurrence import lstm_step, rnn_step


def test_captions_are_start_words_end_and_nulls():
    captions_NT = Data.made().captions
    words = caption_steps.vocabulary()
    assert captions_NT.shape == (1280, 17)
    assert np.all(captions_NT[:, 0] == words.start)
    ends_N = np.argmax(captions_NT == words.end, axis=1)
    assert ends_N.min() == 9
    assert ends_N.max() == 16
    for caption_T, end in zip(captions_NT, ends_N, strict=True):
        assert caption_T[1:end].min() > words.unk
        assert np.all(caption_T[end + 1 :] == words.null)
    assert captions_NT.max() == VOCAB - 1


def unrolled_loss(step, params, features_NF, captions_NT):
    """The captioner's loss without a loop, whose operations XLA can count."""
    h_NH = features_NF @ params["W_proj"] + params["b_proj"][None]
    carry, hidden = (h_NH,) if step is rnn_step else (h_NH, jnp.zeros_like(h_NH)), []
    for t in range(TOKENS - 1):
        x_ND = params["W_embed"][captions_NT[:, t]]
        carry = step(x_ND, *carry, params["Wx"], params["Wh"], params["b"])
        carry = carry if isinstance(carry, tuple) else (carry,)
        hidden.append(carry[0])
    logits_NTV = jnp.stack(hidden, axis=1) @ params["W_vocab"] + params["b_vocab"][None, None]
    targets_NT = captions_NT[:, 1:]
    return sum_over_time(token_cross_entropy(logits_NTV, targets_NT), targets_NT)


@pytest.mark.parametrize("name, step", [("RNN", rnn_step), ("LSTM", lstm_step)])
def test_what_is_counted_by_hand_is_nearly_what_xla_counts(name, step):
    """XLA counts what is not a matrix product as well."""
    config = replace(CONFIGS[name], batch_size=25)
    features = jax.ShapeDtypeStruct((25, FEATURES), jnp.float32)
    captions = jax.ShapeDtypeStruct((25, TOKENS), jnp.int32)
    init = caption_steps.captioning(config).init
    batch = {"captions": captions, "features": features}
    params = jax.eval_shape(init, jax.random.key(0), batch).params
    gradient = jax.grad(lambda *arrays: unrolled_loss(step, *arrays))
    by_xla = plain_flops(gradient, params, features, captions).number
    [comparison] = [
        c
        for c in caption_steps.comparisons()
        if c.title == f"{name} captioner training step, batch 25"
    ]
    by_hand, counted = comparison.flops()
    assert counted == "by hand"
    assert 0.95 < by_hand / by_xla <= 1


def test_a_grid_is_made_up_for_the_captioner_that_reads_one():
    grid = CONFIGS["grid Transformer"]
    assert Data.of(grid).features.shape == (1280, *caption_steps.GRID)
    assert Data.of(CONFIGS["LSTM"]).features.shape == (1280, FEATURES)
    assert caption_steps.about(grid).feature_shape == caption_steps.GRID


@pytest.mark.parametrize("name", ["LSTM", "grid Transformer"])
def test_operations_do_not_depend_on_the_precision(name):
    config = replace(CONFIGS[name], batch_size=5)
    rounding = replace(config, precision="bfloat16")
    assert caption_steps._flops(rounding) == caption_steps._flops(config)
