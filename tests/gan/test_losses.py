"""Every adversarial loss in `jaxgen.gan.losses`, found there: a new one is tested at once."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.gan.losses import (
    AdversarialLoss,
    gradient_penalty,
    hinge,
    least_squares,
    non_saturating,
    non_saturating_r1,
    relativistic_r1r2,
    saturating,
    wasserstein_gp,
)

LOSSES = AdversarialLoss.choices()
REFERENCE = np.load(Path(__file__).parents[1] / "reference" / "gan_losses.npz")


@pytest.mark.parametrize(
    ("loss", "suffix"), [(non_saturating, "loss_true"), (least_squares, "loss_lsgan_true")]
)
def test_published_values(loss, suffix):
    """The notebook's values, which it computed in float32 (tests/reference/README.md)."""
    real, fake = (jnp.float32(REFERENCE[f"logits_{name}"]) for name in ("real", "fake"))
    d_loss = loss.discriminator(real, fake).mean()
    g_loss = loss.generator(real, fake).mean()
    np.testing.assert_allclose(d_loss, REFERENCE[f"d_{suffix}"], rtol=1e-7)
    np.testing.assert_allclose(g_loss, REFERENCE[f"g_{suffix}"], rtol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("side", ["discriminator", "generator"])
def test_values_are_per_example_and_gradients_match_finite_differences(name, side, x64):
    function = getattr(LOSSES[name], side)
    real = jnp.array([-2.3, -0.4, 0.3, 0.9, 4.0])
    fake = jnp.array([0.8, -3.1, 0.2, -0.7, 2.5])
    assert function(real, fake).shape == real.shape
    shorter = function(real[:2], fake[:2])
    np.testing.assert_allclose(function(real, fake)[:2], shorter, rtol=1e-12)
    gradients = jax.grad(lambda r, f: function(r, f).sum(), argnums=(0, 1))(real, fake)
    for index, gradient in enumerate(gradients):
        step = 1e-6
        ahead, behind = [real, fake], [real, fake]
        ahead[index] = ahead[index] + step
        behind[index] = behind[index] - step
        numeric = (function(*ahead) - function(*behind)) / (2 * step)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_stay_finite(name):
    loss = LOSSES[name]
    extreme = jnp.array([-1e4, 1e4, -1e4, 1e4])
    opposite = jnp.array([1e4, -1e4, -1e4, 1e4])
    for function in (loss.discriminator, loss.generator):
        gradients = jax.grad(lambda r, f: function(r, f).sum(), argnums=(0, 1))(extreme, opposite)  # noqa: B023
        assert jnp.isfinite(function(extreme, opposite)).all()
        assert all(jnp.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", LOSSES)
def test_scores_of_different_shapes_raise(name):
    """(N, 1) against (N,) broadcast silently to (N, N) in the notebook."""
    for function in (LOSSES[name].discriminator, LOSSES[name].generator):
        with pytest.raises(ValueError, match=r"\(4, 1\).*\(4,\)"):
            function(jnp.zeros((4, 1)), jnp.zeros(4))


def test_other_losses_by_their_equations():
    real, fake = np.array([0.3, -1.2, 2.0]), np.array([-0.4, 1.7, 0.1])
    sigmoid = 1 / (1 + np.exp(-fake))
    expected = {
        (saturating, "generator"): np.log(1 - sigmoid),
        (hinge, "discriminator"): np.maximum(0, 1 - real) + np.maximum(0, 1 + fake),
        (hinge, "generator"): -fake,
        (wasserstein_gp, "discriminator"): fake - real,
        (wasserstein_gp, "generator"): -fake,
        (relativistic_r1r2, "discriminator"): np.log(1 + np.exp(fake - real)),
        (relativistic_r1r2, "generator"): np.log(1 + np.exp(real - fake)),
    }
    for (loss, side), values in expected.items():
        np.testing.assert_allclose(getattr(loss, side)(real, fake), values, rtol=1e-5)


def quadratic_critic(images):
    """½ |x|² + 2 x₀₀: the gradient at x is x, plus 2 at the first pixel."""
    return 0.5 * jnp.square(images).sum(axis=(1, 2, 3)) + 2 * images[:, 0, 0, 0]


def test_penalties_by_hand(x64):
    real = jnp.linspace(-1, 1, 24).reshape(3, 2, 2, 2)
    fake = -0.5 * real + 0.1
    key = jax.random.key(0)
    epsilon = np.asarray(jax.random.uniform(key, (3, 1, 1, 1)))
    assert len(np.unique(epsilon)) == 3

    def norms(images):
        gradient = np.array(images)
        gradient[:, 0, 0, 0] += 2
        return np.sqrt(np.square(gradient).reshape(3, -1).sum(axis=1))

    between = epsilon * np.asarray(real) + (1 - epsilon) * np.asarray(fake)
    gp = gradient_penalty(quadratic_critic, real, fake, key)
    np.testing.assert_allclose(gp, (norms(between) - 1) ** 2, rtol=1e-9)
    r1r2 = relativistic_r1r2.penalty(quadratic_critic, real, fake, key)
    np.testing.assert_allclose(r1r2, 0.5 * (norms(real) ** 2 + norms(fake) ** 2), rtol=1e-9)
    r1 = non_saturating_r1.penalty(quadratic_critic, real, fake, key)
    np.testing.assert_allclose(r1, 0.5 * norms(real) ** 2, rtol=1e-9)


def test_gradient_penalty_trains_through_the_second_derivative(x64):
    images = jnp.linspace(-1, 1, 24).reshape(3, 2, 2, 2)

    def objective(weight):
        def critic(x):
            return jnp.tanh(weight * x).sum(axis=(1, 2, 3))

        return gradient_penalty(critic, images, -images, jax.random.key(1)).sum()

    numeric = (objective(0.7 + 1e-6) - objective(0.7 - 1e-6)) / 2e-6
    np.testing.assert_allclose(jax.grad(objective)(0.7), numeric, rtol=1e-6)
    flat = jax.grad(
        lambda w: gradient_penalty(
            lambda x: w * x.sum((1, 2, 3)), images, images, jax.random.key(1)
        ).sum()
    )(0.0)
    assert np.isfinite(flat)
