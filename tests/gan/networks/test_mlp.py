"""Architectures of the GAN notebooks against counts by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import conditional_gan, lsgan, mlp_gan, vanilla_gan
from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.mlp import MLP
from jaxgen.nn.checking import count_params
from jaxgen.settings import check

SHAPE = (28, 28, 1)


def count(module, *inputs):
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    return count_params(shapes["params"])


def dense(*widths):
    return sum(i * o + o for i, o in itertools.pairwise(widths))


# Kernels and biases; batch norm adds a scale and an offset for each of 256, 512 and 1024.
NORMS = 2 * (256 + 512 + 1024)
COUNTS = {
    vanilla_gan: (4, 0, 1_858_320, 267_009),
    lsgan: (4, 0, 1_858_320, 267_009),
    mlp_gan: (100, 0, dense(100, 128, 256, 512, 1024, 784) + NORMS, dense(784, 512, 256, 1)),
    conditional_gan: (
        100, 10, dense(110, 128, 256, 512, 1024, 784) + NORMS, dense(794, 512, 256, 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("experiment", COUNTS, ids=lambda e: e.__name__)
def test_parameter_counts(experiment):
    noise, classes, generator, discriminator = COUNTS[experiment]
    label = jnp.zeros((2, classes)) if classes else None
    networks = experiment.config.networks
    assert count(networks.generator(SHAPE), jnp.zeros((2, noise)), label) == generator
    assert count(networks.discriminator(SHAPE), jnp.zeros((2, *SHAPE)), label) == discriminator
    assert bool(classes) == experiment.config.conditional


def test_batch_norm_stands_before_the_activation_on_the_last_three_layers():
    generator = mlp_gan.config.networks.generator(SHAPE)
    shapes = jax.eval_shape(generator.init, jax.random.key(0), jnp.zeros((2, 100)))
    widths = [stats["BatchNorm_0"]["mean"].shape[0] for stats in shapes["batch_stats"].values()]
    assert widths == [256, 512, 1024]
    noise = jax.random.normal(jax.random.key(1), (64, 100))
    variables = jax.jit(generator.init)(jax.random.key(0), noise)
    _, kept = generator.apply(
        variables, noise, train=True, mutable=["intermediates", "batch_stats"],
        capture_intermediates=lambda module, _: type(module).__name__ == "BatchNorm",
    )  # fmt: skip
    for norm in kept["intermediates"].values():
        outputs = norm["__call__"][0] if "__call__" in norm else None
        if outputs is not None:  # normalised and not yet rectified
            np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-4)
            assert (outputs < 0).mean() > 0.3


def test_batch_norm_in_a_layer_that_is_not_there_is_refused():
    check(MLP(generator_hidden=(8, 8), generator_normalized=(1,)))
    with pytest.raises(JaxgenError, match="generator_normalized 2 is no layer"):
        check(MLP(generator_hidden=(8, 8), generator_normalized=(0, 2)))
