"""Directions of a generator's input, against NumPy's own decomposition."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.gan import noise
from jaxgen.gan.latents import directions
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.sampling import Sampler, Weights
from jaxgen.nn.layers import Dense
from tests.gan.latents.conftest import restored

SMALL_DCGAN = DCGAN(hidden=9, generator_channels=(4, 3), discriminator_channels=(2, 3))


@pytest.mark.parametrize(("networks", "precision"), [(None, "float32"), (SMALL_DCGAN, "bfloat16")])
def test_they_are_the_eigenvectors_of_the_first_layer(networks, precision):
    changes = {"networks": networks} if networks else {}
    model = restored(conditional=True, precision=precision, **changes)
    kernel = np.asarray(model.params["Dense_0"]["Dense_0"]["kernel"], np.float64)
    assert kernel.shape[0] == 6 + 3  # noise, then the label
    matrix = kernel[:6].T
    gains, vectors = np.linalg.eigh(matrix.T @ matrix)
    found = model.directions(4)
    np.testing.assert_allclose(found.gains, gains[::-1][:4], rtol=1e-6)
    np.testing.assert_allclose(found.shares, gains[::-1][:4] / gains.sum(), rtol=1e-6)
    for mine, theirs in zip(found.vectors, vectors.T[::-1], strict=False):
        assert abs(mine @ theirs) == pytest.approx(1, abs=1e-5)
        assert mine[np.abs(mine).argmax()] > 0
        # What the layer makes of it is as long as its gain says, and nothing is longer.
        stretched = np.linalg.norm(matrix @ mine)
        assert stretched <= np.linalg.norm(matrix @ found.vectors[0]) + 1e-5
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(4), atol=1e-5)


def test_a_layer_that_leaves_directions_out_has_no_gain_there():
    kernel = np.diag([3.0, 2.0, 0.0, 0.0])[:, :2]
    found = directions.factorised(kernel, 4)
    np.testing.assert_allclose(found.gains, [9, 4, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found.vectors[:2], np.eye(4)[:2], atol=1e-7)
    assert np.isfinite(directions.factorised(np.zeros((3, 2)), 3).shares).all()


class Twice(nn.Module):
    """Sees its noise in two dense layers, one of them Flax's own."""

    @nn.compact
    def __call__(self, noise_NZ, label_NK, train):
        halved = nn.Dense(5, name="halved")(noise_NZ) / 2
        x_NF = jnp.concatenate([Dense(4)(noise_NZ), nn.Dense(3)(noise_NZ), halved], axis=1)
        return jnp.tanh(Dense(16)(x_NF)).reshape(-1, 4, 4, 1)


class Convolved(nn.Module):
    """Begins with something else than a dense layer."""

    @nn.compact
    def __call__(self, noise_NZ, label_NK, train):
        x = nn.Conv(2, (3,))(noise_NZ[:, :, None])
        return jnp.tanh(Dense(16)(x.reshape(len(x), -1))).reshape(-1, 4, 4, 1)


def first_kernel(module):
    sampler = Sampler(module, noise.uniform, 5)
    init = jax.jit(lambda key: module.init(key, jnp.zeros((2, 5)), None, train=False))
    params = init(jax.random.key(0))["params"]
    return params, directions.first_kernel(sampler, Weights(params, {}))


def test_layers_that_see_the_noise_stand_side_by_side():
    params, kernel = first_kernel(Twice())
    layers = [params["Dense_0"]["Dense_0"], params["Dense_1"], params["halved"]]
    both = {name.tobytes() for layer in layers for name in np.asarray(layer["kernel"]).T}
    assert {column.tobytes() for column in kernel.T} == both


def test_a_first_layer_that_is_not_dense_is_told():
    with pytest.raises(JaxgenError, match="none of this generator's dense layers"):
        first_kernel(Convolved())


def test_the_first_layer_of_residual_networks_is_known(residual):
    sampler, weights, kernel = residual
    np.testing.assert_array_equal(directions.first_kernel(sampler, weights), kernel)


def test_images_along_directions_stay_with_the_noise(model, conditional):
    found = model.directions(2)
    strengths = np.array([-9, 0, 0.5])
    made = model.along(found.vectors, strengths, seed=4)
    assert made.shape == (6, 16, 16, 1)
    start = model.noise(1, seed=4)
    np.testing.assert_allclose(made[[1, 4]], model.generate(start).repeat(2, 0), atol=1e-6)
    moved = start + 3**-0.5 * 0.5 * found.vectors[1]
    np.testing.assert_allclose(made[5], model.generate(np.clip(moved, -1, 1))[0], atol=1e-5)
    far = directions.along(noise.uniform, start[0], found.vectors, strengths)
    assert np.abs(far).max() <= 1
    halved = directions.along(noise.uniform, start[0], found.vectors, strengths, 0.5)
    np.testing.assert_allclose(halved, far / 2, atol=1e-7)
    made = model.along(found.vectors, [0.0], seed=4, truncation=0.5)
    np.testing.assert_allclose(made[0], model.sample(seed=4, n=1, truncation=0.5)[0], atol=1e-6)
    as_two = conditional.along(found.vectors, [0.0], seed=4, label=2)
    start = conditional.noise(1, seed=4)
    np.testing.assert_allclose(as_two[0], conditional.generate(start, [2])[0], atol=1e-6)
    with pytest.raises(JaxgenError, match="from 1 to 6, the numbers of the noise, got 7"):
        model.directions(7)
