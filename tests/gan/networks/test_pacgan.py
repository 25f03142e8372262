"""PacGAN's networks: sizes of the authors' code, transposes of convolutions, who sees whom."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.gan.networks import pacgan
from jaxgen.gan.networks.pacgan import PacGAN
from jaxgen.nn.checking import count_params
from jaxgen.settings import check

SHAPE = (28, 28, 3)
SMALL = PacGAN(generator_channels=(8, 6, 4, 4), discriminator_channels=(2, 3, 4, 5))


def test_parameter_counts():
    """The kernels, biases, scales and shifts of their code's layers, added up by hand."""
    generator = PacGAN().generator(SHAPE)
    shapes = jax.eval_shape(generator.init, jax.random.key(0), jnp.zeros((2, 100)))
    layers = [(100, 2048, 1), (512, 256, 25), (256, 128, 25), (128, 64, 25), (64, 3, 25)]
    kernels = sum(i * o * k + o for i, o, k in layers)
    assert count_params(shapes["params"]) == kernels + 2 * (512 + 256 + 128 + 64)
    for packing in (1, 2):
        images = jnp.zeros((2, 28, 28, 3 * packing))
        discriminator = PacGAN().discriminator(images.shape[1:])
        shapes = jax.eval_shape(discriminator.init, jax.random.key(0), images)
        layers = [(3 * packing, 64, 25), (64, 128, 25), (128, 256, 25), (256, 512, 25)]
        kernels = sum(i * o * k + o for i, o, k in [*layers, (2048, 1, 1)])
        assert count_params(shapes["params"]) == kernels + 2 * (128 + 256 + 512)


@pytest.mark.parametrize("sides", [(2, 4), (4, 7), (4, 8), (7, 14), (5, 9)])
def test_a_transposed_convolution_is_the_transpose_of_the_convolution(sides):
    """TensorFlow's conv2d_transpose is the gradient of its convolution with padding SAME."""
    small, large = sides
    module = pacgan.ConvTranspose(2, (large, large))
    x = jax.random.normal(jax.random.key(1), (3, small, small, 5))
    variables = module.init(jax.random.key(0), x)
    kernel = variables["params"]["kernel"]

    def forward(image):
        # From the transposed's output channels to its input channels, turned by half a turn.
        turned = kernel[::-1, ::-1].swapaxes(2, 3)
        return jax.lax.conv_general_dilated(
            image, turned, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    image = jnp.zeros((3, large, large, 2))
    (expected,) = jax.vjp(forward, image)[1](x)
    np.testing.assert_allclose(module.apply(variables, x), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28, 3), (32, 20, 1)])
def test_shapes_and_range(shape):
    generator, discriminator = SMALL.generator(shape), SMALL.discriminator(shape)
    labels = jnp.eye(4)[jnp.array([0, 1, 3])]
    for label in (None, labels):
        images, _ = generator.init_with_output(jax.random.key(0), jnp.ones((3, 4)), label)
        assert images.shape == (3, *shape)
        assert float(jnp.abs(images).max()) <= 1
        logits, _ = discriminator.init_with_output(jax.random.key(0), images, label)
        assert logits.shape == (3,)


def test_a_sample_depends_on_its_own_noise_alone():
    generator = SMALL.generator(SHAPE)
    noise = jax.random.normal(jax.random.key(1), (6, 4))
    variables = generator.init(jax.random.key(0), noise)
    alone = generator.apply(variables, noise[:1], train=False)
    among = generator.apply(variables, noise, train=False)
    np.testing.assert_allclose(alone, among[:1], atol=1e-6)


def test_the_discriminator_sees_a_batch_only_with_batch_norm():
    images = jax.random.normal(jax.random.key(1), (6, *SHAPE))
    for networks in (SMALL, PacGAN((8, 6, 4, 4), (2, 3, 4, 5), discriminator_normalized=False)):
        discriminator = networks.discriminator(SHAPE)
        variables = discriminator.init(jax.random.key(0), images, train=True)

        def judged(images):
            found, _ = discriminator.apply(  # noqa: B023
                variables,  # noqa: B023
                images,
                train=True,
                mutable=["batch_stats"],
            )
            return found

        is_alone = np.allclose(judged(images)[:3], judged(images[:3]), atol=1e-6)
        assert is_alone != networks.judges_batches


def test_networks_without_layers_are_refused():
    with pytest.raises(JaxgenError, match=r"generator_channels must be 1 to 8 numbers, got 0"):
        check(PacGAN(generator_channels=()))
