"""Sampling, decoding and measuring on four simulated devices, against one."""

import jax
import numpy as np
import pytest

from jaxgen.nn import batch_axis, placing

PROGRAM = """
import dataclasses
from functools import partial
import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.compiled_text import collectives, product_flops
from jaxgen.captioning import writing
from jaxgen.captioning.captioners.recurrent import LSTM
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.captioning.config import AboutCaptions, CaptionConfig
from jaxgen.captioning.decoding import Decoding
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.metrics.samples import classifier
from jaxgen.nn import batch_axis, placing
from jaxgen.training.mesh import make_mesh, replicated
from jaxgen.training.task import Saved

ALONE, FOUR = make_mesh(jax.devices()[:1]), make_mesh()

def near(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)

def shares(function, *arguments):
    found = []
    for mesh in (ALONE, FOUR):
        with jax.set_mesh(mesh):
            text = function.lower(*arguments).compile().as_text()
        found.append(product_flops(text))
    assert found[0] > 0 and found[1] <= 0.26 * found[0], found
    return collectives(text)

def random(shapes, lowest, highest):
    leaves, tree = jax.tree.flatten(shapes)
    rng = np.random.default_rng(0)
    drawn = [rng.uniform(lowest, highest, leaf.shape).astype(leaf.dtype) for leaf in leaves]
    return tree.unflatten(drawn)
"""

HELPERS = """
a, b = np.arange(24.0).reshape(8, 3), -np.arange(24.0).reshape(8, 3)
TNF = np.arange(5 * 8 * 2.0).reshape(5, 8, 2)
for mesh in (ALONE, FOUR):
    with jax.set_mesh(mesh):
        assert batch_axis.devices() == mesh.size
        for n in (8, 6, 1):  # the last two do not divide
            joined = jax.jit(batch_axis.join)(a[:n], b[:n])
            assert sorted(map(tuple, joined.tolist())) == sorted(map(tuple, [*a[:n], *b[:n]]))
            back = jax.jit(batch_axis.parts, static_argnums=1)(joined, 2)
            np.testing.assert_array_equal(back, [a[:n], b[:n]])
            rows = jax.jit(batch_axis.rows)(TNF[:, :n])
            back = jax.jit(batch_axis.by_time, static_argnums=1)(rows, 5)
            np.testing.assert_array_equal(back, TNF[:, :n])
            product = jax.jit(lambda x: batch_axis.rows(x).T @ batch_axis.rows(x))(TNF[:, :n])
            near(product, TNF[:, :n].reshape(-1, 2).T @ TNF[:, :n].reshape(-1, 2))
            doubled = jax.jit(lambda x: batch_axis.whole(2 * batch_axis.spread(x), n))(a[:n])
            np.testing.assert_array_equal(doubled, 2 * a[:n])
            assert doubled.is_fully_replicated
            pairs = np.arange(2 * n).reshape(n, 2)[:, ::-1].reshape(-1)
            column = np.arange(2.0 * n)[:, None]
            taken = jax.jit(batch_axis.take, static_argnums=2)(column, pairs, n)
            np.testing.assert_array_equal(taken[:, 0], pairs)
            sums = jax.jit(partial(batch_axis.by_device, lambda x: x.sum(axis=1)))(a[:n])
            np.testing.assert_array_equal(sums, a[:n].sum(axis=1))
with jax.set_mesh(FOUR):
    assert not jax.jit(batch_axis.split)(a).is_fully_replicated
"""

SAMPLING = """
config = GanConfig(
    workdir="", steps=1, batch_size=8, noise_size=3, conditional=True,
    networks=MLP(generator_hidden=(16,), generator_normalized=(0,)),
)
about = AboutImages((4, 4, 1), classes=2, examples=8)
for block, statistics in ((8, "running"), (6, "running"), (8, "batch"), (6, "batch")):
    sampler = dataclasses.replace(config.sampler(about), block=block, statistics=statistics)
    weights = random(sampler.weight_shapes(), 0.1, 1)  # variances among them
    expected = sampler.sample(weights, 10, seed=3)
    spread = jax.device_put(weights, replicated(FOUR))
    near(sampler.sample(spread, 10, seed=3), expected)
    noise, labels = sampler.draw_noise(10, 3)[:10], np.arange(10) % 2
    near(sampler.sample_from(spread, noise, labels, seed=3), expected)
    arguments = sampler, weights, sampler.draw_noise(block, 0), sampler.turns(0, block)
    if (block, statistics) == (8, "running"):
        (gathered,) = shares(type(sampler).images, *arguments)
        assert gathered.kind == "all-gather"
    with placing.around(spread):
        assert sampler.images(*arguments[1:]).is_fully_replicated
    # Inside of a user's own program, with the weights that are on four devices.
    inside = jax.jit(lambda weights: sampler.images(weights, *arguments[2:]))(spread)
    near(inside, sampler.images(weights, *arguments[2:]))

state = {"generator": {"params": weights.params, "stats": weights.stats}, "average": None}
trained = config.restored(Saved(state, {"image_shape": [4, 4, 1], "classes": 2, "examples": 8}))
for leaf in jax.tree.leaves(trained.params):
    assert isinstance(leaf, jax.Array) and leaf.sharding.device_set == set(jax.devices())
near(trained.sample(seed=3, n=10), config.sampler(about).sample(weights, 10, seed=3))

digits = classifier.load("digits")
images = np.random.default_rng(0).uniform(-1, 1, (9, 28, 28)).astype(np.float32)
with jax.set_mesh(ALONE):
    expected = digits.features_and_logits(images)
for classifier.BATCH in (8, 6):
    for actual, wanted in zip(digits.features_and_logits(images), expected, strict=True):
        near(actual, wanted)
shares(classifier._apply, digits.params, np.zeros((8, 28, 28, 1), np.float32))
"""

DECODING = """
words = ("<NULL>", "<START>", "<END>", "<UNK>", *map(str, range(12)))
features = np.random.default_rng(0).normal(size=(10, 4, 6)).astype(np.float32)
captions = np.random.default_rng(0).integers(1, 16, (10, 7)).astype(np.int32)
lstm, transformer = LSTM(hidden=16, word_size=8), Transformer(width=16, heads=2, layers=1)
for captioner, shape in ((lstm, (24,)), (transformer, (4, 6))):
    config = CaptionConfig(workdir="", steps=1, captioner=captioner, max_length=6)
    writer = config.writer(AboutCaptions(words, shape, examples=10))
    params, seen = random(writer.param_shapes(shape), -0.3, 0.3), features.reshape(10, *shape)
    spread = jax.device_put(params, replicated(FOUR))
    different = set()
    ways = Decoding(), Decoding(beam=3), Decoding(temperature=1.0, top_p=0.9)
    for writing._ROWS, some in ((8, ways), (6, ways[1:2])):  # the second does not divide
        near(writer.losses(spread, seen, captions), writer.losses(params, seen, captions))
        for way in some:
            made = writer.words(params, seen, way, seed=2)
            np.testing.assert_array_equal(writer.words(spread, seen, way, seed=2), made)
            different.update(made.ravel().tolist())
    assert len(different) > 3, different
    for way in ways:
        arguments = writer, params, seen[:8], way, jax.random.key(0)
        found = shares(type(writer)._words_of_rows, *arguments)
        # What is done for each word sums up who has ended, and moves no captions.
        assert [one.kind for one in found if "while" in one.source] == ["all-reduce"]
    looked, again = (writer.attention(p, seen, made) for p in (params, spread))
    assert (looked is None and again is None) or np.allclose(looked, again, atol=1e-5)
"""


@pytest.mark.long
@pytest.mark.parametrize("part", [HELPERS, SAMPLING, DECODING], ids=["helpers", "gan", "words"])
def test_four_devices(part, on_devices):
    on_devices(PROGRAM + part)


def test_one_device_runs_plain_programs():
    weights = placing.on_each_device({"w": np.ones(3, np.float32)})
    with placing.around(weights):
        assert batch_axis.devices() == 1
    assert isinstance(weights["w"], jax.Array)
