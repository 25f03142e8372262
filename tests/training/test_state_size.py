"""A state that memory does not hold is refused while nothing but its shape is there."""

import jax
import jax.numpy as jnp
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.training.state_size import fitting, refuse_large, size


def init(width):
    return lambda key, batch: {"a": jnp.zeros((width, width)), "b": jnp.zeros(3, jnp.int8)}


def test_the_size_is_that_of_all_arrays():
    assert size(jax.eval_shape(init(5), jax.random.key(0), {})) == 4 * 25 + 3


def test_a_small_state_is_made():
    state = jax.jit(fitting(init(5), "advice"))(jax.random.key(0), {})
    assert state["a"].shape == (5, 5)


def test_one_of_a_petabyte_is_refused_by_its_bytes():
    with pytest.raises(JaxgenError, match=r"^training these networks would take 9007 TB.*: less"):
        jax.eval_shape(fitting(init(2**25), "less"), jax.random.key(0), {})


def test_a_program_of_terabytes_is_refused_before_it_runs():
    def compiled(length):
        return jax.jit(lambda x: x + 1).lower(jax.ShapeDtypeStruct((length,), jnp.int8)).compile()

    refuse_large(compiled(8), "less")
    with pytest.raises(JaxgenError, match=r"^a training step would take 17.6 TB of memory.*: less"):
        refuse_large(compiled(2**44), "less")
