"""Strictness for every test: silent rank promotion is an error (see STYLE in CONTRIBUTING)."""

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def x64():
    """Double precision for one test."""
    with jax.enable_x64(True):
        yield
