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


@pytest.mark.parametrize("sides", [(2, 4), (4, 7), (5, 9)])
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
def test_shapes(shape):
    generator, discriminator = SMALL.generator(shape), SMALL.discriminator(shape)
    for label in (None, jnp.eye(4)[:3]):

        def both(noise, label=label):
            images, _ = generator.init_with_output(jax.random.key(0), noise, label)
            logits, _ = discriminator.init_with_output(jax.random.key(0), images, label)
            return images, logits

        images, logits = jax.eval_shape(both, jnp.ones((3, 4)))
        assert (images.shape, logits.shape) == ((3, *shape), (3,))


def test_a_sample_depends_on_its_own_noise_alone():
    generator = PacGAN(generator_channels=(4, 3)).generator((9, 8, 2))
    noise = 30 * jax.random.normal(jax.random.key(1), (6, 4))
    variables = jax.jit(generator.init)(jax.random.key(0), noise)
    sample = jax.jit(lambda noise: generator.apply(variables, noise, train=False))
    found = sample(noise)
    assert found.shape == (6, 9, 8, 2)
    assert float(jnp.abs(found).max()) <= 1
    others = sample(noise.at[1:].set(0))
    np.testing.assert_array_equal(found[0], others[0])
    assert float(jnp.abs(found[1:] - others[1:]).max()) > 1e-3


@pytest.mark.parametrize("normalized", [True, False])
def test_the_discriminator_sees_a_batch_only_with_batch_norm(normalized):
    networks = PacGAN((4,), (2, 3), discriminator_normalized=normalized)
    assert networks.judges_batches == normalized
    discriminator = networks.discriminator((8, 8, 1))
    images = jax.random.normal(jax.random.key(1), (6, 8, 8, 1))
    variables = jax.jit(discriminator.init)(jax.random.key(0), images)

    @jax.jit
    def judge(images):
        return discriminator.apply(variables, images, train=True, mutable=["batch_stats"])[0]

    is_alone = np.allclose(judge(images)[0], judge(images.at[1:].set(0))[0], atol=1e-7)
    assert is_alone != normalized


def test_networks_without_layers_are_refused():
    with pytest.raises(JaxgenError, match=r"generator_channels must be 1 to 8 numbers, got 0"):
        check(PacGAN(generator_channels=()))
