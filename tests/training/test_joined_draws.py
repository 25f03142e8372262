"""Joined draws are the same numbers, and fewer programs to compile."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxpr_as_fun, jaxprs_in_params

from jaxgen.training import joined_draws
from jaxgen.training.joined_draws import joined
from jaxgen.training.program import Program
from tests.training import members


def both(function, *arguments):
    """What a function gives as it is and with its draws joined."""
    program = jax.make_jaxpr(function)(*arguments)
    flat = jax.tree.leaves(arguments)
    return jax.jit(jaxpr_as_fun(program))(*flat), jax.jit(joined(program))(*flat)


def assert_same(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def primitives(function, *arguments):
    """How often each primitive is in what XLA is given."""
    found = Counter()

    def look(jaxpr):
        for equation in jaxpr.eqns:
            found[equation.primitive.name] += 1
            for inner in jaxprs_in_params(equation.params):
                look(inner)

    look(jax.make_jaxpr(joined(jax.make_jaxpr(function)(*arguments)))(*arguments).jaxpr)
    return found


def parameters(key):
    """As an initialisation draws them, some of keys that were drawn themselves."""
    key, other = jax.random.split(key)
    drawn = jax.random.bits(jax.random.fold_in(key, 9), (2,))
    return {
        "kernel": jax.random.normal(jax.random.fold_in(key, 1), (3, 5)),
        "bias": jax.random.uniform(jax.random.fold_in(key, 2), (7,), minval=-0.1, maxval=0.1),
        "cut": jax.random.truncated_normal(jax.random.fold_in(other, 3), -2, 2, (4, 2)),
        "one": jax.random.normal(other),
        "none": jax.random.normal(other, (0, 3)),
        "half": jax.random.bits(key, (5,), jnp.uint16),
        "zeros": jnp.zeros(3),
        "later": jax.random.normal(jax.random.fold_in(key, drawn[1]), (2,)),
    }


def test_draws_are_the_same_to_the_last_bit():
    assert_same(*both(parameters, jax.random.key(3)))


def test_draws_of_several_keys_are_one():
    found = primitives(parameters, jax.random.key(3))
    # Those of the parameters, and those that wait for the drawn number; half and none are alone.
    assert (found["threefry2x32"], found["random_bits"], found["random_fold_in"]) == (2, 2, 2)


def test_keys_of_replicas_are_joined_too():
    keys = jax.random.split(jax.random.key(0), 3)
    assert_same(*both(jax.vmap(parameters), keys))
    assert primitives(jax.vmap(parameters), keys)["threefry2x32"] == 2


def test_a_nested_function_may_be_called_again():
    draw = jax.jit(lambda key, i: jax.random.normal(jax.random.fold_in(key, i), (2,)))

    def draws(key):
        return [draw(key, 1), draw(jax.random.split(key)[1], 1), draw(key, 2)]

    assert_same(*both(draws, jax.random.key(4)))
    assert primitives(draws, jax.random.key(4))["threefry2x32"] == 1
    keys = jax.random.split(jax.random.key(4), 2)
    assert_same(*both(jax.vmap(draws), keys))


def test_large_draws_stay_alone(monkeypatch):
    monkeypatch.setattr(joined_draws, "_MOST", 20)

    def draws(key):
        return [jax.random.bits(jax.random.fold_in(key, n), (n,)) for n in (8, 21, 12, 1)]

    assert_same(*both(draws, jax.random.key(1)))
    found = primitives(draws, jax.random.key(1))
    assert (found["threefry2x32"], found["random_bits"]) == (2, 1)


def test_draws_in_loops_and_branches_stay_as_they_are():
    def draws(key):
        many = jax.lax.map(lambda i: jax.random.normal(jax.random.fold_in(key, i)), jnp.arange(4))
        one = jax.lax.cond(many[0] > 0, jax.random.normal, lambda key: 0.0, key)
        return many, one, jax.random.permutation(key, 5)

    assert_same(*both(draws, jax.random.key(2)))


def test_other_generators_stay_as_they_are():
    key = jax.random.key(0, impl="rbg")
    assert_same(*both(lambda key: jax.random.normal(key, (3,)), key))


@pytest.mark.parametrize("name", ["dcgan", "r3gan", "sngan", "caption_transformer"])
def test_initial_states_are_as_if_drawn_one_by_one(name, tmp_path, monkeypatch):
    config = members.small(name, workdir=str(tmp_path), steps=2)
    program = Program(config.task(), config)
    ours = program.initial_state()
    monkeypatch.setattr("jaxgen.training.program.joined", jaxpr_as_fun)
    assert_same(ours, program.initial_state())
