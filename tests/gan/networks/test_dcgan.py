"""Architecture of the DCGAN notebook: parameter counts and initial values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.nn.checking import count_params

SHAPE = (28, 28, 1)


def test_parameter_counts():
    discriminator = DCGAN().discriminator(SHAPE)
    shapes = jax.eval_shape(discriminator.init, jax.random.key(0), jnp.zeros((2, *SHAPE)))
    assert count_params(shapes["params"]) == 1_102_721
    generator = DCGAN().generator(SHAPE)
    shapes = jax.eval_shape(generator.init, jax.random.key(0), jnp.zeros((2, 4)))
    assert count_params(shapes["params"]) == 6_580_801


def largest(kernel):
    return float(jnp.abs(kernel).max())


def test_initial_values():
    """Xavier-uniform in dense and transposed layers, PyTorch's defaults elsewhere."""
    params = jax.jit(DCGAN().generator(SHAPE).init)(jax.random.key(0), jnp.zeros((2, 96)))["params"]
    bounds = {
        ("Dense_0", "Dense_0"): (6 / (96 + 1024)) ** 0.5,
        ("Dense_1", "Dense_0"): (6 / (1024 + 6272)) ** 0.5,
        ("ConvTranspose_0",): (6 / (16 * (128 + 64))) ** 0.5,
        ("ConvTranspose_1",): (6 / (16 * (64 + 1))) ** 0.5,
    }
    for path, bound in bounds.items():
        layer = params
        for name in path:
            layer = layer[name]
        assert 0.98 * bound < largest(layer["kernel"]) <= bound
    assert 0.9 / 96**0.5 < largest(params["Dense_0"]["Dense_0"]["bias"]) <= 1 / 96**0.5
    params = jax.jit(DCGAN().discriminator(SHAPE).init)(jax.random.key(0), jnp.zeros((2, *SHAPE)))[
        "params"
    ]
    assert 0.98 / 5 < largest(params["Conv_0"]["kernel"]) <= 1 / 5
    assert 0.98 / 800**0.5 < largest(params["Conv_1"]["kernel"]) <= 1 / 800**0.5


def test_generator_range_and_shape_scale_with_the_image():
    networks = DCGAN(hidden=8, generator_channels=(4, 4), discriminator_channels=(2, 2))
    for shape in ((28, 28, 1), (32, 32, 3), (64, 64, 3)):
        generator = networks.generator(shape)
        images, _ = jax.jit(generator.init_with_output)(jax.random.key(0), jnp.ones((3, 4)))
        assert images.shape == (3, *shape)
        assert float(jnp.abs(images).max()) <= 1
        discriminator = networks.discriminator(shape)
        logits, _ = jax.jit(discriminator.init_with_output)(jax.random.key(0), images)
        assert logits.shape == (3,)
    for side in (12, 30):
        with pytest.raises(JaxgenError, match="multiples of 4 from 16 on"):
            networks.generator((side, side, 1))


@pytest.mark.parametrize(
    ("side", "first", "flattened"),
    [
        (28, 7 * 7 * 128, 4 * 4 * 64),  # the notebook
        (32, 8 * 8 * 128, 5 * 5 * 64),
        (48, 6 * 6 * 128, 9 * 9 * 64),
        (60, 15 * 15 * 128, 4 * 4 * 64),
        (64, 8 * 8 * 128, 4 * 4 * 64),
    ],
)
def test_dense_layers_stay_small_in_large_images(side, first, flattened):
    shape = (side, side, 3)
    variables = jax.eval_shape(DCGAN().generator(shape).init, jax.random.key(0), jnp.zeros((2, 96)))
    assert variables["params"]["Dense_1"]["Dense_0"]["kernel"].shape == (1024, first)
    variables = jax.eval_shape(
        DCGAN().discriminator(shape).init, jax.random.key(0), jnp.zeros((2, *shape))
    )
    assert variables["params"]["Dense_0"]["Dense_0"]["kernel"].shape == (flattened, flattened)


def test_discriminator_never_mixes_examples():
    discriminator = DCGAN(discriminator_channels=(2, 2)).discriminator(SHAPE)
    images = jax.random.uniform(jax.random.key(1), (4, *SHAPE), minval=-1)
    variables = jax.jit(discriminator.init)(jax.random.key(0), images)
    apply = jax.jit(discriminator.apply)
    together = apply(variables, images)
    alone = jnp.concatenate([apply(variables, images[i : i + 1]) for i in range(4)])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
