"""Strictness and isolation for every test."""

import gc
import os
import random
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

# Before anything reads it: tests neither see nor fill the user's cache.
CACHE = os.environ["JAXGEN_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxgen-tests-")

# Tests compile far more than they compute: LLVM's optimisations would take most of their time.
# The older emitters, which later versions of XLA lack, take half of the time, and one part for
# LLVM instead of 32, which are there to be compiled side by side, a tenth less.
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
    + " --xla_llvm_disable_expensive_passes=true"
    + " --xla_cpu_parallel_codegen_split_count=1"
    + " --xla_cpu_use_fusion_emitters=false" * version("jaxlib").startswith("0.10.")
)
# Where each operation was written is not read by any test, and takes a tenth of tracing's time.
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"

import jax
import pytest

gc.set_threshold(200_000)  # tracing makes objects by the million, most of which stay

jax.config.update("jax_numpy_rank_promotion", "raise")  # (N, 1) against (N,) must not pass


def pytest_unconfigure():
    """Each process of pytest removes the cache that it made, xdist's workers too."""
    shutil.rmtree(CACHE, ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Files that are marked `early` come first: at the end one worker would wait for another."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


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
        for imported in (module, f"{module}.__main__"):  # or runpy warns that it runs it again
            monkeypatch.delitem(sys.modules, imported, raising=False)
        with pytest.raises(SystemExit) as stop:
            runpy.run_module(module, run_name="__main__")
        return stop.value.code, "".join(capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def on_devices():
    """Run Python code with simulated devices, in a process of its own; returns what came of it."""

    def run(code, *arguments, count=4):
        flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={count}"
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def killed_twice_and_resumed():
    """SIGKILL a training twice, whenever it strikes after the first metrics, then let it end.

    Takes the command and the run's folder; returns the seed of the moments, for the message.
    """

    def run(program, workdir):
        seed = time.time_ns()
        chance = random.Random(seed)
        for _ in range(2):
            process = subprocess.Popen(program, stderr=subprocess.DEVNULL)
            while process.poll() is None and not (workdir / "metrics.csv").exists():
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 2))
            process.kill()
            process.wait()
        subprocess.run(program, check=True, capture_output=True)
        return seed

    return run
