"""Every adversarial loss in `jaxgen.losses`, found there: a new one is tested without a change."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses import AdversarialLoss, least_squares, non_saturating

LOSSES = AdversarialLoss.choices()
REFERENCE = np.load(Path(__file__).parent / "reference" / "gan_losses.npz")


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
