"""The residual networks: shapes, counts by hand, first values, and what they may depend on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.r3gan import GAIN, R3GAN
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.gan.networks.stages import sides, widths
from jaxgen.nn import precision
from jaxgen.nn.checking import count_params
from jaxgen.settings import check

SMALL = {
    "r3gan": R3GAN((8, 4), (12, 4), group=4),
    "sngan": SNGAN((6, 4), (7, 4)),
}
SHAPES = {(28, 28, 1): 7, (32, 32, 3): 4, (64, 64, 1): 4, (128, 128, 3): 4, (40, 24, 3): (10, 6)}
SMALLEST = (8, 8, 3)
every = pytest.mark.parametrize("name", SMALL)


def noise(n=4, size=6):
    return jax.random.normal(jax.random.key(1), (n, size))


def label(n=4):
    return jnp.eye(5)[jnp.arange(n)]


def made(networks, shape, label_NK=None):
    """Both modules with variables, drawn once; first values that are 0 take part by others."""

    def drawn(module, *inputs):
        variables = jax.jit(module.init)(jax.random.key(0), *inputs, label_NK)
        leaves, tree = jax.tree.flatten(variables)
        leaves = [
            x + 0.2 * np.float32(np.sin(np.arange(x.size)).reshape(x.shape)) * (not x.any())
            for x in leaves
        ]
        return module, jax.tree.unflatten(tree, leaves)

    images = jax.random.uniform(jax.random.key(2), (4, *shape), minval=-1)
    return (
        drawn(networks.generator(shape), noise()),
        drawn(networks.discriminator(shape), images),
        images,
    )


@every
def test_shapes_of_all_sizes(name):
    for shape, first in SHAPES.items():
        start = first if isinstance(first, tuple) else (first, first)
        assert sides(shape)[0] == start
        assert sides(shape)[-1] == shape[:2]
        for label_NK in (None, label()):
            generator = SMALL[name].generator(shape)
            images, variables = jax.eval_shape(
                generator.init_with_output, jax.random.key(0), noise(), label_NK
            )
            assert images.shape == (4, *shape)
            if name == "r3gan":
                assert variables["params"]["basis"].shape == (*start, 8)
            logits, _ = jax.eval_shape(
                SMALL[name].discriminator(shape).init_with_output,
                jax.random.key(0),
                images,
                label_NK,
            )
            assert logits.shape == (4,)
            assert images.dtype == logits.dtype == jnp.float32


def test_parameter_counts_of_r3gan_by_hand():
    networks = R3GAN((128, 64, 32), (128, 64, 32), blocks=2)
    shape = (28, 28, 1)

    def block(c, inside=2, group=16):
        e = inside * c
        return c * e + e + 9 * group * e + e + e * c

    blocks = 2 * (block(128) + block(64) + block(32))
    shapes = jax.eval_shape(networks.generator(shape).init, jax.random.key(0), noise(2, 64))
    start, between, image = 49 * 128 + 64 * 128, 128 * 64 + 64 * 32, 32
    assert count_params(shapes["params"]) == start + blocks + between + image
    images = jnp.zeros((2, *shape))
    shapes = jax.eval_shape(networks.discriminator(shape).init, jax.random.key(0), images)
    assert count_params(shapes["params"]) == 32 + blocks + between + 49 * 128 + 128


def test_parameter_counts_of_sngan_by_hand():
    shape = (28, 28, 1)

    def block(i, o):
        return 9 * i * o + o + 9 * o * o + o + i * o + o

    networks = SNGAN((128, 64, 32), (128, 64, 32))
    shapes = jax.eval_shape(networks.generator(shape).init, jax.random.key(0), noise(2, 64))
    norms = 2 * (128 + 64 + 64 + 32 + 32)
    ups = block(128, 64) + block(64, 32) + norms
    assert count_params(shapes["params"]) == 65 * 49 * 128 + ups + 9 * 32 + 1
    images = jnp.zeros((2, *shape))
    shapes = jax.eval_shape(networks.discriminator(shape).init, jax.random.key(0), images)
    # Two blocks that halve; only the last one is as wide as the smallest stage.
    downs = block(1, 32) + block(32, 64) + block(64, 128)
    assert count_params(shapes["params"]) == downs + 129


def test_first_values_of_r3gan():
    """Blocks are nothing at first; other kernels keep the size of what they multiply."""
    networks = R3GAN((64, 32), (64, 32), blocks=2, bounded=False)
    generator = networks.generator((32, 32, 3))
    variables = jax.jit(generator.init)(jax.random.key(0), noise(2, 64))
    params = variables["params"]
    gain = GAIN * 8**-0.25  # four stages of two blocks
    blocks = [value for key, value in params.items() if key.startswith("Block_")]
    assert len(blocks) == 8
    for block in blocks:
        assert not block["Linear_1"]["kernel"].any()
        width = block["Linear_0"]["kernel"].shape[0]
        np.testing.assert_allclose(block["Linear_0"]["kernel"].std() * width**0.5, gain, rtol=0.06)
        kernel = block["GroupedConv_0"]["kernel"]
        assert kernel.shape == (3, 3, 16, 2 * width)
        np.testing.assert_allclose(kernel.std() * 144**0.5, gain, rtol=0.06)
    np.testing.assert_allclose(params["basis"].std(), 1, rtol=0.1)


def test_widths_of_further_small_stages_are_the_first():
    assert widths((8, 4), 5) == [8, 8, 8, 8, 4]
    assert widths((16, 8, 4), 2) == [8, 4]


@every
def test_outputs_depend_on_their_own_example_alone_in_both_precisions(name):
    (generator, g), (discriminator, d), images = made(SMALL[name], SMALLEST, label())
    for module, variables, x in ((generator, g, noise()), (discriminator, d, images)):

        @jax.jit
        def both(x, label_NK, module=module, variables=variables):
            return [
                one.apply(variables, x, label_NK, train=False)
                for one in (module, precision.in_precision(module, "bfloat16"))
            ]

        together, rounded = both(x, label())
        others = x[::-1].at[2].set(x[2])
        labels = label()[::-1].at[2].set(label()[2])
        np.testing.assert_allclose(both(others, labels)[0][2], together[2], atol=2e-5)
        assert np.abs(both(x, label()[::-1])[0] - together).max() > 1e-4
        assert np.abs(both(-x, label())[0] - together).max() > 1e-4
        assert rounded.dtype == jnp.float32
        assert 0 < np.abs(rounded - together).max() < 0.1 * max(1, np.abs(together).max())


def test_r3gan_without_tanh_is_clipped_where_it_is_sampled():
    generator = dataclasses.replace(SMALL["r3gan"], bounded=False).generator(SMALLEST)
    params = generator.init(jax.random.key(0), noise())["params"]
    variables = {"params": params | {"basis": 9 * params["basis"]}}
    in_training = generator.apply(variables, noise(), train=True)
    assert np.abs(in_training).max() > 1
    samples = generator.apply(variables, noise(), train=False)
    np.testing.assert_array_equal(samples, np.clip(in_training, -1, 1))


def test_sngan_normalises_by_label_and_keeps_spectral_vectors():
    (_, g), (discriminator, d), images = made(SMALL["sngan"], SMALLEST, label())
    norms = g["params"]["UpBlock_0"]["ConditionalNorm_0"]
    assert norms["scale"].shape == norms["offset"].shape == (5, 6)

    @jax.jit
    def in_both():
        return {
            train: discriminator.apply(d, images, label(), train=train, mutable=["batch_stats"])[1]
            for train in (True, False)
        }

    kept = in_both()
    before = jax.tree.leaves(d["batch_stats"])
    after = jax.tree.leaves(kept[True]["batch_stats"])
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    jax.tree.map(np.testing.assert_array_equal, kept[False]["batch_stats"], d["batch_stats"])


def test_what_cannot_be_built_is_refused():
    for networks in SMALL.values():
        for side in (27, 34, 4):
            with pytest.raises(JaxgenError, match=f"not possible with {side}x{side}; take sides"):
                networks.generator((side, side, 1))
            with pytest.raises(JaxgenError, match="take sides of 28"):
                networks.discriminator((side, side, 1))
    with pytest.raises(JaxgenError, match=r"channels 12 times .* cannot be divided into groups"):
        check(R3GAN((12,), (16,), group=16))
