"""What is not finite is found in a state, and all processes tell of it."""

import jax.numpy as jnp
import pytest

from jaxgen.training import divergence
from jaxgen.training.divergence import Diverged, check_parameters

WHOLE = {"count": jnp.int32(7), "rate": jnp.float32(0.5), "w": jnp.arange(6.0).reshape(3, 2)}
BROKEN = WHOLE | {"w": WHOLE["w"].at[2, 1].set(jnp.nan)}


def test_a_state_of_finite_numbers_passes():
    check_parameters(WHOLE, 5)
    check_parameters({"keys": jnp.zeros(2, jnp.uint32), "none": jnp.zeros((0, 3))}, 5)


def test_the_place_and_the_seed_are_named():
    with pytest.raises(Diverged, match=r"^the parameters are not finite after step 5 \(\['w'\]\)"):
        check_parameters(BROKEN, 5)
    with pytest.raises(Diverged, match=r"parameters of seed 9 are not finite after step 5"):
        check_parameters(BROKEN, 5, seeds=(7, 8, 9))
    with pytest.raises(Diverged, match=r"\(\['rate'\]\)"):
        check_parameters(WHOLE | {"rate": jnp.float32(jnp.inf)}, 5)
    with pytest.raises(Diverged, match=r"\(\['half'\]\)"):
        check_parameters({"half": jnp.bfloat16(jnp.inf)}, 5)


def test_a_process_whose_part_is_finite_ends_too(monkeypatch):
    monkeypatch.setattr(divergence, "gathered", lambda own: [own, ["['b']", 1]])
    with pytest.raises(Diverged, match=r"of seed 4 are not finite after step 5 \(\['b'\]\)"):
        check_parameters(WHOLE, 5, seeds=(3, 4))
