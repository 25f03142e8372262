"""R1 and R2 in a discriminator's step, where they are taken, beside PyTorch's autograd."""

import importlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.gan import losses
from jaxgen.gan.augmentation import Augmentation
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.base import Networks
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.recipe import Penalty
from jaxgen.nn.checking import count_params
from jaxgen.training.exporting.exportable import nested
from tests.gan import r3gan_formula as formula

GOLDEN = np.load(formula.GOLDEN)


def moved(images_NHWC, key):
    down, right = formula.SHIFT
    sides = images_NHWC.shape[1:3]
    padded = jnp.pad(images_NHWC, ((0, 0), *((side, side) for side in sides), (0, 0)))
    top, left = sides[0] - down, sides[1] - right
    return padded[:, top : top + sides[0], left : left + sides[1]]


shift = Augmentation(moved)


class WithFakes(Networks):
    """R3GAN's discriminator, and a generator that makes the oracle's fakes of any noise."""

    def generator(self, image_shape):
        class Generator(nn.Module):
            @nn.compact
            def __call__(self, noise_NZ, label_NK=None, train=True):
                self.param("unused", nn.initializers.zeros, (1,))
                return jnp.asarray(formula.images()[1])

        return Generator()

    def discriminator(self, image_shape):
        widths = formula.WIDTHS[::-1]
        return R3GAN((formula.GROUP,), widths, group=formula.GROUP).discriminator(image_shape)


def gan_with(loss, augmentation, images):
    config = GanConfig(
        workdir="", steps=1, batch_size=4, noise_size=2, networks=WithFakes(), loss=loss,
        penalty_weight=formula.WEIGHT, augmentation=augmentation, penalty=Penalty(images=images),
    )  # fmt: skip
    return config.gan(AboutImages(formula.SHAPE[1:], classes=2, examples=4))


@pytest.fixture(scope="module", params=["made", "seen"])
def both(request):
    """What the step computes, and which images the penalty is of."""
    gan = gan_with(losses.relativistic_r1r2, shift, request.param)
    params = nested(formula.weights())

    def gradient(real_NHWC):
        state = gan.init(jax.random.key(0), {})
        network = state.discriminator.replace(params=params)
        assert count_params(network.params) == count_params(state.discriminator.params)
        jax.tree.map(np.testing.assert_equal, *(  # one has a place for each array of the other
            jax.tree.map(jnp.shape, tree) for tree in (params, state.discriminator.params)
        ))  # fmt: skip
        _, gradient, metrics = gan._discriminator_gradient(
            state.replace(discriminator=network), real_NHWC, None, jax.random.key(1), now(gan)
        )
        return gradient, metrics

    def now(gan):
        return gan.course.now(None)

    gradient, metrics = jax.jit(gradient)(formula.images()[0])
    named = {
        f"gradient {'.'.join(key.key for key in path)}": leaf
        for path, leaf in jax.tree.leaves_with_path(gradient)
    }
    return named | {"loss": metrics["d_loss"]}, metrics, request.param


def test_the_step_is_pytorchs_golden(both):
    """`python tests/gan/torch_r3gan.py` wrote it, with PyTorch 2.13."""
    found, metrics, images = both
    for name, value in found.items():
        golden = GOLDEN[f"{images} {name}"]
        scale = max(1e-3, np.abs(golden).max())
        np.testing.assert_allclose(formula.summary(value), golden, atol=1e-4 * scale, err_msg=name)
    for name, metric in (("real", "d_real"), ("fake", "d_fake")):
        np.testing.assert_allclose(metrics[metric], GOLDEN[f"{images} {name}"][1:].mean(), 1e-3)
    assert len(found) == 1 + len(formula.weights())


def test_the_step_is_pytorchs_in_full(both):
    pytest.importorskip("torch", reason="PyTorch, the oracle, is not there")
    torch_r3gan = importlib.import_module("tests.gan.torch_r3gan")
    found, _, images = both
    right = torch_r3gan.reference(images == "made")
    for name, value in found.items():
        scale = max(1e-3, np.abs(right[name]).max())
        np.testing.assert_allclose(value, right[name], atol=1e-4 * scale, err_msg=name)
    for name, value in right.items():  # the golden is what this PyTorch gives
        golden = GOLDEN[f"{images} {name}"]
        np.testing.assert_allclose(formula.summary(value), golden, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("images", ["made", "seen"])
@pytest.mark.parametrize("origin", ["real", "fake"])
def test_a_penalty_is_of_what_gave_the_logits(images, origin):
    """With draws of their own for real images and fakes, as the authors' code has it."""

    def logits(critic, real, fake, key):
        return losses.of_fakes(critic)(fake) if origin == "fake" else critic(real)

    dimmed = Augmentation(lambda x, key: x * jax.random.uniform(key, (len(x), 1, 1, 1)))
    terms = losses.hinge.generator_terms
    loss = losses.AdversarialLoss(lambda real, fake: 0 * real, terms, penalty=logits)
    gan = gan_with(loss, dimmed, images)
    state = gan.init(jax.random.key(0), {})
    network = state.discriminator.replace(params=nested(formula.weights()))
    step = jax.jit(lambda *args: gan._discriminator_gradient(*args, gan.course.now(None))[2])
    state = state.replace(discriminator=network)
    metrics = step(state, formula.images()[0], None, jax.random.key(1))
    np.testing.assert_allclose(
        metrics["d_loss"], formula.WEIGHT * metrics[f"d_{origin}"], rtol=1e-5
    )
    assert abs(metrics["d_real"] - metrics["d_fake"]) > 1e-3


def test_where_the_penalty_is_taken_matters_and_is_half_the_square():
    assert np.abs(GOLDEN["made r1"] / GOLDEN["seen r1"] - 1).max() > 0.01
    real, fake = (GOLDEN[f"made {name}"][1:] for name in ("real", "fake"))
    r1, r2 = (GOLDEN[f"made {name}"][1:] for name in ("r1", "r2"))
    expected = np.log1p(np.exp(fake - real)) + formula.WEIGHT / 2 * (r1 + r2)
    np.testing.assert_allclose(GOLDEN["made loss"][0], expected.mean(), rtol=1e-4)
