"""Steps, sampling and decoding inside other programs: `jit`, `vmap`, `lax.scan` and `grad`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.captioning.captioners.recurrent import RNN
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.decoding import Decoding, SpecialWords, beam_search, sample
from jaxgen.gan import minimax
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.step import weights
from jaxgen.training.loop import Loop
from jaxgen.training.task import Shown, Source, Task, TrainConfig

IMAGES = AboutImages((4, 4, 1), classes=2, examples=8)
GAN = GanConfig(
    workdir="",
    steps=4,
    batch_size=4,
    noise_size=3,
    networks=MLP(generator_hidden=(5,), generator_normalized=(0,), discriminator_hidden=(5,)),
    conditional=True,
)
WORDS = AboutCaptions(("<NULL>", "<START>", "<END>", "<UNK>", "a", "cat"), (3,), examples=8)
CAPTIONS = CaptionConfig(
    workdir="", steps=4, batch_size=4, captioner=RNN(hidden=5, word_size=4), max_length=4
)
BATCHES = {
    "gan": {
        "image": np.arange(64, dtype=np.uint8).reshape(4, 4, 4, 1) * 4,
        "label": np.arange(4, dtype=np.int32) % 2,
    },
    "captions": {
        "features": np.sin(np.arange(12, dtype=np.float32)).reshape(4, 3),
        "captions": np.array([[1, 4, 5, 2]] * 4, np.int32),
    },
}
KEYS = jax.random.split(jax.random.key(5), 3)


def agree(actual, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-6), actual, expected)


def row(tree, index):
    return jax.tree.map(lambda leaf: leaf[index], tree)


@pytest.fixture(params=BATCHES)
def model(request):
    """The model, a batch, its compiled step and a first state."""
    batch = BATCHES[request.param]
    model = GAN.gan(IMAGES) if request.param == "gan" else CAPTIONS.captioning(WORDS)
    step = jax.jit(model.step)
    return batch, step, jax.jit(model.init)(jax.random.key(0), batch)


def test_a_compiled_step_inside_others(model):
    batch, step, state = model
    states, expected = state, []
    for key in KEYS:
        states, metrics = step(states, batch, key)
        expected.append(metrics)
    scanned = jax.jit(lambda s: jax.lax.scan(lambda s, key: step(s, batch, key), s, KEYS))(state)
    agree(scanned[0], states)
    agree(row(scanned[1], 2), expected[2])
    mapped = jax.vmap(lambda key: step(state, batch, key))(KEYS)
    agree(row(mapped, 0)[1], expected[0])


def toy_loop():
    """A loop of two-number states with steps that depend on the batch and the key."""
    data = {"x": np.linspace(-1, 1, 24, dtype=np.float32).reshape(12, 2)}

    def step(state, batch, key):
        state = 0.9 * state + batch["x"].mean(axis=0) + 0.01 * jax.random.normal(key, (2,))
        return state, {"loss": jnp.square(state).mean()}

    task = Task(
        source=Source.of(data),
        init=lambda key, batch: jax.random.normal(key, (2,)),
        step=step,
        show=lambda state: Shown(np.zeros((2, 2), np.uint8)),
    )
    return Loop(task, TrainConfig(workdir="", steps=6, batch_size=4, log_every=3))


def test_a_dispatch_of_the_loop_inside_others():
    nested, loop = toy_loop(), toy_loop()  # the first one has cached nothing before it is traced

    def two_dispatches(state):
        state, first = nested.dispatch(state, 0, 3)
        return *nested.dispatch(state, 3, 2), first

    traced_start = jax.jit(nested.initial_state)()
    start = loop.initial_state()
    np.testing.assert_array_equal(traced_start, start)
    starts = jnp.stack([start, start + 1])
    compiled = jax.jit(two_dispatches)(start)
    mapped = jax.vmap(two_dispatches)(starts)
    slopes = jax.jacrev(lambda state: two_dispatches(state)[0])(start)
    np.testing.assert_allclose(slopes, 0.9**5 * np.eye(2), rtol=1e-5, atol=1e-7)
    state, first = loop.dispatch(start, 0, 3)
    state, second = loop.dispatch(state, 3, 2)
    agree(compiled, (state, second, first))
    agree(row(mapped, 0), (state, second, first))
    state, _ = nested.dispatch(loop.initial_state(), 0, 3)  # and compiled, after it was traced
    agree(nested.dispatch(state, 3, 2), (compiled[0], second))


def test_sampling_inside_others():
    gan, sampler = GAN.gan(IMAGES), GAN.sampler(IMAGES)
    states = jax.vmap(lambda key: gan.init(key, {}))(KEYS)
    labels = np.arange(4) % 2

    def images(state):
        return sampler.images(weights(state), sampler.draw_noise(4, seed=2), labels)

    expected = [sampler.sample(weights(row(states, i)), 4, seed=2) for i in range(3)]
    agree(jax.jit(images)(row(states, 1)), expected[1])
    agree(jax.vmap(images)(states), np.stack(expected))
    _, scanned = jax.lax.scan(lambda carry, state: (carry, images(state)), None, states)
    agree(scanned, np.stack(expected))
    slope = jax.grad(lambda state: images(state).sum(), allow_int=True)(row(states, 0))
    assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slope.generator.params))


@pytest.mark.parametrize(
    "way", [Decoding(), Decoding(beam=2), Decoding(temperature=1.0, top_p=0.9)], ids=str
)
def test_decoding_inside_others(way):
    captioning, writer = CAPTIONS.captioning(WORDS), CAPTIONS.writer(WORDS)
    batch = BATCHES["captions"]
    params = jax.vmap(lambda key: captioning.init(key, batch).params)(KEYS)

    def words(params):
        def step(carry, words_N):
            return writer.module.apply({"params": params}, carry, words_N, method="step")

        start = writer.module.apply({"params": params}, batch["features"], method="start")
        return way.words(step, start, writer.special, 4, jax.random.key(7))

    expected = np.stack([jax.jit(words)(row(params, i)) for i in range(3)])
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(jax.vmap(words)(params), expected)
    _, scanned = jax.lax.scan(lambda carry, params: (carry, words(params)), None, params)
    np.testing.assert_array_equal(scanned, expected)


SCORES = np.random.default_rng(1).normal(size=(6, 6)).astype(np.float32)


def scored(carry, words_N):
    return carry, jnp.asarray(SCORES)[words_N]


def test_numbers_of_decoding_may_be_mapped_over():
    special, start = SpecialWords(), jnp.zeros(2)
    penalties, shares = jnp.array([0.0, 3.0]), jnp.array([0.1, 0.9])
    mapped = jax.vmap(lambda p: beam_search(scored, start, special, 5, 2, p)[0])(penalties)
    for words, penalty in zip(mapped, penalties, strict=True):
        expected = beam_search(scored, start, special, 5, 2, float(penalty))[0]
        np.testing.assert_array_equal(words, expected)
    key = jax.random.key(1)
    mapped = jax.vmap(lambda p: sample(scored, start, special, 5, key, top_p=p)[0])(shares)
    for words, share in zip(mapped, shares, strict=True):
        expected = sample(scored, start, special, 5, key, top_p=float(share))[0]
        np.testing.assert_array_equal(words, expected)


def test_the_minimax_game_inside_others():
    sizes = jnp.array([0.5, 1.0])
    paths = jax.vmap(lambda size: minimax.play(size, 6))(sizes)
    agree(paths, np.stack([minimax.play(float(size), 6) for size in sizes]))
    slope = jax.jit(jax.grad(lambda size: minimax.play(size, 1)[1, 1]))(0.5)
    assert slope == 1.0  # y after one update is 1 + step size
