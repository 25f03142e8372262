"""Strictness and isolation for every test."""

import os
import tempfile

# Before anything reads it: tests neither see nor fill the user's cache.
os.environ["JAXGEN_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxgen-tests-")

# Tests compile far more than they compute: LLVM's optimisations would take most of their time.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")  # (N, 1) against (N,) must not pass


@pytest.fixture
def x64():
    """Double precision for one test."""
    with jax.enable_x64(True):
        yield
