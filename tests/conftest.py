"""Strictness and isolation for every test."""

import os
import runpy
import sys
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


@pytest.fixture
def run_module(monkeypatch, capsys):
    """Run `python -m MODULE FLAGS` in this process; returns its exit code and what it printed."""

    def run(module, *flags):
        monkeypatch.setattr(sys, "argv", [module, *map(str, flags)])
        monkeypatch.delitem(sys.modules, module, raising=False)
        with pytest.raises(SystemExit) as stop:
            runpy.run_module(module, run_name="__main__")
        return stop.value.code, "".join(capsys.readouterr())

    return run
