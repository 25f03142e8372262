"""Optimisers against their formulas."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen import settings
from jaxgen.errors import JaxgenError
from jaxgen.training import optimizers
from jaxgen.training.optimizers import Optimizer, sgd


@pytest.mark.parametrize("name", ["sgd", "momentum", "rmsprop", "adam"])
def test_rules_are_those_of_the_notebook(name):
    """Two steps of CS231n's optim.py, written out."""
    g1, g2, rate = np.array([0.5, -2.0]), np.array([-1.0, 0.25]), 0.1
    if name == "sgd":
        expected = -rate * (g1 + g2)
    elif name == "momentum":
        v1 = -rate * g1
        expected = v1 + 0.9 * v1 - rate * g2
    elif name == "rmsprop":
        c1 = 0.01 * g1**2
        c2 = 0.99 * c1 + 0.01 * g2**2
        expected = -rate * (g1 / (np.sqrt(c1) + 1e-8) + g2 / (np.sqrt(c2) + 1e-8))
    else:
        m = 0.9 * 0.1 * g1 + 0.1 * g2
        v = 0.999 * 0.001 * g1**2 + 0.001 * g2**2
        second = m / (1 - 0.9**2) / (np.sqrt(v / (1 - 0.999**2)) + 1e-8)
        expected = -rate * (np.sign(g1) + second)

    optimizer = Optimizer(getattr(optimizers, name), rate).build(steps=2, steps_per_epoch=1)

    @jax.jit
    def two_steps():
        params = jnp.zeros(2)
        state = optimizer.init(params)
        for gradient in (g1, g2):
            updates, state = optimizer.update(jnp.asarray(gradient, jnp.float32), state, params)
            params = optax.apply_updates(params, updates)
        return params

    np.testing.assert_allclose(two_steps(), expected, rtol=1e-5)


def test_learning_rate_over_a_run():
    numbers = Optimizer(sgd, 1.0, epoch_decay=0.5, warm_up=2)
    flat = dataclasses.replace(numbers, epoch_decay=1.0, warm_up=0, cosine=True)

    @jax.jit
    def rates():
        found = []
        for chosen in (numbers, flat):
            optimizer = chosen.build(steps=4, steps_per_epoch=3)
            state = optimizer.init(jnp.zeros(()))
            for _ in range(4):
                update, state = optimizer.update(jnp.ones(()), state)
                found.append(-update)
        return jnp.stack(found)

    half = 0.5**0.5 / 2
    expected = [0.5, 1, 1, 0.5, 1, 0.5 + half, 0.5, 0.5 - half]
    np.testing.assert_allclose(rates(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("epoch_decay", -1.0),
        ("b1", 1.0),
        ("rms_decay", -0.1),
        ("warm_up", -1),
    ],
)
def test_numbers_that_make_no_sense_are_refused(field, value):
    with pytest.raises(JaxgenError, match=f"^{field} must be"):
        settings.check(dataclasses.replace(Optimizer(), **{field: value}))
