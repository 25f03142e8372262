"""The PyTorch captioners agree with jaxgen's: same weights, same logits, loss and words."""

import dataclasses
import importlib

import jax
import numpy as np
import pytest

from jaxgen.captioning import losses
from jaxgen.captioning.captioners.recurrent import LSTM, RNN
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.decoding import Decoding
from jaxgen.captioning.objectives.base import Setup
from jaxgen.captioning.objectives.self_critical import policy_loss
from jaxgen.data.captions.base import Features, Split
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.training.optimizers import Optimizer

torch = pytest.importorskip("torch", reason="PyTorch, of the peers in benchmarks/, is not there")
torch_captioners = importlib.import_module("benchmarks.torch_captioners")
torch_captioning = importlib.import_module("benchmarks.torch_captioning")
torch.set_num_threads(1)  # more would wait for each other longer than they compute

VOCAB, FEATURES, LENGTH = 23, 6, 9
CAPTIONS_NT = np.array([[1, 4, 5, 2, 0, 0], [1, 6, 2, 0, 0, 0], [1, 7, 8, 9, 10, 2]], np.int32)
FEATURES_NF = np.random.default_rng(3).normal(size=(3, FEATURES)).astype(np.float32)
BATCH = {"captions": CAPTIONS_NT, "features": FEATURES_NF}
CAPTIONERS = {
    "rnn": RNN(hidden=7, word_size=5),
    "lstm": LSTM(hidden=7, word_size=5),
    "transformer": Transformer(width=12, heads=3, layers=2, feed_forward=17),
}
GRID_NMF = np.random.default_rng(4).normal(size=(3, 4, FEATURES)).astype(np.float32)
WORDS = (*SPECIAL, *map(str, range(VOCAB - len(SPECIAL))))
ABOUT = AboutCaptions(WORDS, (FEATURES,), examples=len(CAPTIONS_NT))
every_captioner = pytest.mark.parametrize("captioner", CAPTIONERS.values(), ids=CAPTIONERS.keys())


def jaxgen_and_twin(captioner, size=0.5, ends=True):
    """The same captioner twice, of known weights; without `ends` no special word is ever best."""
    is_transformer = isinstance(captioner, Transformer)
    config = CaptionConfig(
        workdir="",
        steps=1,
        captioner=captioner,
        loss=losses.mean_over_positions if is_transformer else losses.sum_over_time,
        max_length=LENGTH,
    )
    shapes = jax.eval_shape(config.captioning(ABOUT).init, jax.random.key(0), BATCH)
    rng = np.random.default_rng(5)

    def values(path, leaf):  # biases are small, or the same word would always be the best
        mean = float(path[-1].key == "scale")
        return rng.normal(mean, 0.1 if len(leaf.shape) == 1 else size, leaf.shape).astype("f4")

    params = jax.tree_util.tree_map_with_path(values, shapes.params)
    if not ends:
        bias = params["output"]["bias"] if is_transformer else params["b_vocab"]
        bias[: len(SPECIAL)] = -1e9
    twin = torch_captioners.twin(captioner, VOCAB, FEATURES, LENGTH)
    torch_captioners.copy_weights(twin, params)
    return config, params, twin.eval()


@every_captioner
def test_same_weights_give_the_same_logits_and_loss(captioner):
    config, params, twin = jaxgen_and_twin(captioner)
    module = config.captioning(ABOUT).module
    features, captions = torch.from_numpy(FEATURES_NF), torch.from_numpy(CAPTIONS_NT).long()

    @jax.jit
    def ours(params):
        targets_NT = CAPTIONS_NT[:, 1:]
        logits_NTV = module.apply({"params": params}, FEATURES_NF, CAPTIONS_NT[:, :-1])
        loss_NT = losses.token_cross_entropy(logits_NTV, targets_NT)
        return logits_NTV, config.loss(loss_NT, targets_NT)

    logits_NTV, loss = ours(params)
    with torch.no_grad():
        theirs_NTV = twin(features, captions[:, :-1])
        their_loss = torch_captioning.loss(config, twin, features, captions)
    np.testing.assert_allclose(theirs_NTV, logits_NTV, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(their_loss, loss, rtol=1e-4)
    assert np.std(logits_NTV, axis=1).mean() > 5e-3  # a constant would agree all too easily


@every_captioner
def test_same_weights_give_the_same_words(captioner):
    config, params, twin = jaxgen_and_twin(captioner, size=1.5, ends=False)
    words_NL = config.writer(ABOUT).words(params, FEATURES_NF, Decoding())
    theirs_NL = twin.greedy(torch.from_numpy(FEATURES_NF), LENGTH).numpy()
    assert np.array_equal(theirs_NL, words_NL)
    assert len(np.unique(words_NL)) > 1
    assert words_NL.min() >= len(SPECIAL)


@every_captioner
def test_decoding_ends_when_every_caption_has_ended(captioner):
    _, _, twin = jaxgen_and_twin(captioner, size=1.5, ends=False)
    features = torch.from_numpy(FEATURES_NF)
    whole_NL = twin.greedy(features, LENGTH)
    first = int(whole_NL[0, 0])
    assert twin.greedy(features[:1], LENGTH, first).tolist() == [[first]]
    assert torch.equal(twin.greedy(features, LENGTH, end=0), whole_NL)


def test_a_transformer_reads_a_grid_as_jaxgen_does():
    config, params, twin = jaxgen_and_twin(CAPTIONERS["transformer"])
    module, read_NT = config.captioning(ABOUT).module, CAPTIONS_NT[:, :-1]
    ours_NTV = jax.jit(module.apply)({"params": params}, GRID_NMF, read_NT)
    with torch.no_grad():
        theirs_NTV = twin(torch.from_numpy(GRID_NMF), torch.from_numpy(read_NT).long())
    np.testing.assert_allclose(theirs_NTV, ours_NTV, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("reduction", torch_captioning._DIVISORS)
def test_every_loss_is_reduced_as_jaxgen_does(reduction):
    config, _, twin = jaxgen_and_twin(CAPTIONERS["lstm"])
    features, captions = torch.from_numpy(FEATURES_NF), torch.from_numpy(CAPTIONS_NT).long()
    config = dataclasses.replace(config, loss=reduction)
    with torch.no_grad():
        loss_NT = torch_captioning.token_losses(twin, features, captions).numpy()
        theirs = torch_captioning.loss(config, twin, features, captions)
    np.testing.assert_allclose(theirs, reduction(loss_NT, CAPTIONS_NT[:, 1:]), rtol=1e-6)


def test_training_without_dropout_gives_the_same_losses():
    """With a learning rate that rises and falls."""
    captioner = dataclasses.replace(CAPTIONERS["transformer"], dropout=0.0, layers=1)
    config, params, _ = jaxgen_and_twin(captioner)
    optimizer = Optimizer(learning_rate=3e-3, warm_up=2, cosine=True)
    config = dataclasses.replace(config, optimizer=optimizer, steps=4, batch_size=3)
    captioning = config.captioning(ABOUT)
    shapes = jax.eval_shape(captioning.init, jax.random.key(0), BATCH)
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    state = state.replace(params=params)
    step = jax.jit(captioning.step)
    training = torch_captioning.training(config, VOCAB, FEATURES, len(CAPTIONS_NT))
    torch_captioners.copy_weights(training.network, params)
    features, captions = torch.from_numpy(FEATURES_NF), torch.from_numpy(CAPTIONS_NT).long()
    history = []
    for _ in range(4):
        state, metrics = step(state, BATCH, jax.random.key(0))
        theirs = torch_captioning.step(training, features, captions)
        np.testing.assert_allclose(theirs, metrics["loss"], rtol=1e-4)
        history.append(float(theirs))
    assert history[3] < 0.99 * history[0]


def test_smoothed_labels_cost_what_they_cost_in_pytorch():
    rng = np.random.default_rng(6)
    logits_NTV = rng.normal(size=(3, 5, VOCAB)).astype(np.float32)
    targets_NT = CAPTIONS_NT[:, 1:]
    found_NT = losses.token_cross_entropy(logits_NTV, targets_NT, smoothing=0.15)
    theirs_NT = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits_NTV).transpose(1, 2),
        torch.from_numpy(targets_NT).long(),
        ignore_index=0,
        label_smoothing=0.15,
        reduction="none",
    )
    np.testing.assert_allclose(found_NT, theirs_NT, rtol=1e-5)


@every_captioner
def test_the_policy_gradient_is_pytorchs(captioner):
    """REINFORCE of given captions, written once more in PyTorch, through its own captioners."""
    config, params, twin = jaxgen_and_twin(captioner)
    captioning, writer = config.captioning(ABOUT), config.writer(ABOUT)
    setup = Setup(captioning.module, writer.special, config.loss, LENGTH)
    words_NKL = np.random.default_rng(7).integers(3, VOCAB, (3, 2, 5)).astype(np.int32)
    for row, (end, padding) in enumerate([(4, 5), (2, 3), (0, 1)]):
        words_NKL[row, 0, end], words_NKL[row, 0, padding:] = 2, 0
    advantage_NK = np.random.default_rng(8).normal(size=(3, 2)).astype(np.float32)

    def ours(params):
        return policy_loss(setup, params, FEATURES_NF, words_NKL, advantage_NK)[0]

    value, gradient = jax.jit(jax.value_and_grad(ours))(params)
    words = torch.from_numpy(words_NKL.reshape(6, 5)).long()
    read = torch.cat([torch.ones(6, 1, dtype=torch.long), words[:, :-1]], dim=1)
    logits = twin(torch.from_numpy(np.repeat(FEATURES_NF, 2, axis=0)), read)
    # A categorical distribution over what may be said: neither NULL nor START.
    said = torch.distributions.Categorical(logits=logits[:, :, 2:])
    log_probability = torch.where(words != 0, said.log_prob((words - 2).clamp(min=0)), 0.0)
    loss = -(torch.from_numpy(advantage_NK.reshape(6)) * log_probability.sum(dim=1)).mean()
    loss.backward()
    np.testing.assert_allclose(value, loss.detach(), rtol=1e-4)
    wanted = torch_captioners.twin(captioner, VOCAB, FEATURES, LENGTH)
    torch_captioners.copy_weights(wanted, gradient)
    for (name, theirs), mine in zip(twin.named_parameters(), wanted.parameters(), strict=True):
        # PyTorch's recurrent cells have a second bias, which jaxgen's are not copied to.
        if theirs.grad is not None and "bias_hh" not in name:
            np.testing.assert_allclose(
                mine.detach(), theirs.grad, rtol=1e-3, atol=2e-5, err_msg=name
            )


@every_captioner
def test_dropout_is_on_in_training_only(captioner):
    config, _, twin = jaxgen_and_twin(dataclasses.replace(captioner, dropout=0.3))
    features, captions = torch.from_numpy(FEATURES_NF), torch.from_numpy(CAPTIONS_NT).long()

    def value():
        return float(torch_captioning.loss(config, twin, features, captions).detach())

    assert value() == value()
    twin.train()
    assert value() != value()


@pytest.mark.parametrize(
    "captioner", [Transformer(rank=3), Transformer(window=3), Transformer(memory_tokens=2)]
)
def test_what_has_no_twin_is_refused(captioner):
    with pytest.raises(JaxgenError, match="has no PyTorch twin"):
        torch_captioners.twin(captioner, VOCAB, FEATURES)


@every_captioner
def test_initial_values_are_drawn_as_jaxgen_draws_them(captioner):
    """By name: the mean and the spread of each array that is large enough to tell."""
    wide = {"width": 96} if isinstance(captioner, Transformer) else {"hidden": 64, "word_size": 48}
    config, _, _ = jaxgen_and_twin(dataclasses.replace(captioner, **wide))
    initial = config.captioning(ABOUT).init(jax.random.key(0), BATCH).params
    drawn = torch_captioning.training(config, VOCAB, FEATURES, 3).network
    same = torch_captioners.twin(config.captioner, VOCAB, FEATURES, LENGTH)
    torch_captioners.copy_weights(same, jax.tree.map(np.asarray, initial))
    ours = same.state_dict()
    for name, theirs in drawn.state_dict().items():
        spread = float(ours[name].std())
        assert float(theirs.std()) == pytest.approx(spread, rel=0.2, abs=1e-3), name
        assert float(theirs.mean()) == pytest.approx(float(ours[name].mean()), abs=0.03), name


@every_captioner
def test_autocast_rounds_and_keeps_parameters_exact(captioner):
    config, params, twin = jaxgen_and_twin(dataclasses.replace(captioner, dropout=0.0))
    rounding = dataclasses.replace(config, precision="bfloat16", batch_size=3)
    training = torch_captioning.training(rounding, VOCAB, FEATURES, 3)
    torch_captioners.copy_weights(training.network, params)
    features, captions = torch.from_numpy(FEATURES_NF), torch.from_numpy(CAPTIONS_NT).long()
    exact = float(torch_captioning.loss(config, twin, features, captions).detach())
    rounded = torch_captioning.step(training, features, captions)
    assert rounded.dtype == torch.float32
    assert float(rounded) != exact
    assert float(rounded) == pytest.approx(exact, rel=0.03)
    assert {p.dtype for p in training.network.parameters()} == {torch.float32}


def test_training_on_a_split_repeats_and_what_is_written_are_sentences():
    config, _, _ = jaxgen_and_twin(dataclasses.replace(CAPTIONERS["lstm"], dropout=0.2))
    config = dataclasses.replace(config, batch_size=2, steps=3)
    captions = {"captions": CAPTIONS_NT, "image_index": np.array([2, 0, 1], np.int32)}
    split = Split(captions, Features.of(FEATURES_NF), ["a", "b", "c"])

    def trained():
        training = torch_captioning.training(config, VOCAB, FEATURES, len(CAPTIONS_NT))
        return training, [float(loss) for loss in torch_captioning.train(training, split)]

    (training, history), (_, again) = trained(), trained()
    assert history == again
    assert len(history) == 3
    writer = torch_captioning.TwinWriter(config, Vocabulary(WORDS))
    training.network.train()
    made = writer.sentences(training.network, FEATURES_NF, Decoding())
    with torch.no_grad():
        words_NL = training.network.greedy(torch.from_numpy(FEATURES_NF), LENGTH).numpy()
    assert made == Vocabulary(WORDS).decode(words_NL)
    losses_NT = writer.losses(training.network, FEATURES_NF, CAPTIONS_NT)
    assert np.array_equal(losses_NT > 0, CAPTIONS_NT[:, 1:] != 0)
    assert training.network.training
