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


def notebooks_way(name, gradients, rate_of):
    """CS231n's optim.py with a rate for each step, as its solver's `lr_decay` gives: w from 0."""
    w = v = m = cache = np.zeros_like(gradients[0])
    for step, g in enumerate(gradients):
        rate = rate_of(step)
        if name == "sgd":
            w = w - rate * g
        elif name == "momentum":
            v = 0.9 * v - rate * g
            w = w + v
        elif name == "rmsprop":
            cache = 0.99 * cache + 0.01 * g**2
            w = w - rate * g / (np.sqrt(cache) + 1e-8)
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            m_hat, v_hat = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
            w = w - rate * m_hat / (np.sqrt(v_hat) + 1e-8)
    return w


def after_all(optimizer, gradients, state=None):
    """What becomes of zeros, and the optimiser's state, after a step for each gradient."""

    @jax.jit
    def run(state):
        def step(carry, gradient):
            params, state = carry
            updates, state = optimizer.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (jnp.zeros(3), state), jnp.asarray(gradients, jnp.float32))[0]

    return run(optimizer.init(jnp.zeros(3)) if state is None else state)


GRADIENTS = np.cos(np.arange(40 * 3.0)).reshape(40, 3) + 0.3
SCHEDULES = {
    "epochs": ({"epoch_decay": 0.5}, lambda step: 0.5 ** (step // 4)),
    "all": (
        {"epoch_decay": 0.9, "warm_up": 6, "cosine": True},
        lambda step: (
            0.9 ** (step // 4) * min(1, (step + 1) / 6) * (0.5 + 0.5 * np.cos(np.pi * step / 40))
        ),
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ["sgd", "momentum", "rmsprop", "adam"])
def test_a_rate_that_changes_acts_as_in_the_notebook(name, schedule):
    flags, share_of = SCHEDULES[schedule]
    optimizer = Optimizer(getattr(optimizers, name), 0.01, **flags).build(40, steps_per_epoch=4)
    params, _ = after_all(optimizer, GRADIENTS)
    expected = notebooks_way(name, GRADIENTS, lambda step: 0.01 * share_of(step))
    np.testing.assert_allclose(params, expected, rtol=2e-5)


def test_adams_second_decay_may_change_and_several_updates_be_one_step():
    """As PyTorch's Adam, whose group's betas are set before each step: biases by today's decay."""

    def b2(step):
        return 0.9 + 0.01 * step

    def factor(step):
        return 1 / (1 + step)

    numbers = Optimizer(optimizers.adam, 0.01, b1=0.5)
    optimizer = numbers.build(40, 4, factor=factor, b2=b2, updates=2)
    params, _ = after_all(optimizer, GRADIENTS[:7])
    m, v, right = 0.0, 0.0, 0.0
    for index, gradient in enumerate(GRADIENTS[:7]):
        decay, rate = b2(index // 2), 0.01 * factor(index // 2)
        m = 0.5 * m + 0.5 * gradient
        v = decay * v + (1 - decay) * gradient**2
        unbiased = v / (1 - decay ** (index + 1))
        right = right - rate * m / (1 - 0.5 ** (index + 1)) / (np.sqrt(unbiased) + 1e-8)
    np.testing.assert_allclose(params, right, rtol=1e-4)


def test_momentum_with_a_constant_rate_keeps_its_bits():
    constant = Optimizer(optimizers.momentum, 0.01).build(40, steps_per_epoch=4)
    chain = optax.chain(optax.trace(0.9), optax.scale_by_learning_rate(0.01))
    same = jax.tree.map(np.array_equal, after_all(constant, GRADIENTS), after_all(chain, GRADIENTS))
    assert all(jax.tree.leaves(same))


def test_momentum_goes_on_with_the_state_of_older_runs():
    """0.1.0 multiplied the whole velocity by the newest rate: the last update is what goes on."""
    decaying = Optimizer(optimizers.momentum, 0.01, epoch_decay=0.5)
    rate = optax.exponential_decay(0.01, 4, 0.5, staircase=True)
    older = optax.chain(optax.trace(0.9), optax.scale_by_learning_rate(rate))
    before, state = after_all(older, GRADIENTS[:11])
    velocity = before - after_all(older, GRADIENTS[:10])[0]
    params, _ = after_all(decaying.build(40, 4), GRADIENTS[11:13], state)
    first = 0.9 * velocity - 0.01 * 0.25 * GRADIENTS[11]
    second = 0.9 * first - 0.01 * 0.125 * GRADIENTS[12]
    np.testing.assert_allclose(params, first + second, rtol=1e-4)


def test_momentum_stands_still_where_the_rate_is_rounded_to_nothing():
    numbers = Optimizer(optimizers.momentum, 1e-20, epoch_decay=1e-20)
    params, _ = after_all(numbers.build(40, steps_per_epoch=4), GRADIENTS)
    assert np.isfinite(params).all()


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
