"""Every experiment's training step can be lowered for CPU, CUDA and TPU, and compiled for a TPU.

No accelerator is needed: `jax.export` lowers for platforms that are not there, and libtpu, where it
is installed, compiles for a described one.
"""

import dataclasses
import importlib
import importlib.util
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from benchmarks.accelerators.described import environment
from benchmarks.accelerators.programs import experiments
from jaxgen.captioning.captioners.transformer import Transformer
from jaxgen.data.images.idx import Idx
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.networks.r3gan import R3GAN
from jaxgen.gan.networks.sngan import SNGAN
from jaxgen.gan.recipe import Updates
from tests.marks import long_but_for

COMPILE = """
import json, sys
from benchmarks.accelerators import programs
from benchmarks.accelerators.described import devices, tpu_topology
from tests.training.test_export import small
lowered = programs.lowered(small(sys.argv[1]), 4, devices(tpu_topology("v5e:2x2")))
print(json.dumps(programs.figures(lowered.compile())))
"""
REPLICAS = """
import dataclasses, json, sys
from benchmarks.accelerators import programs
from benchmarks.accelerators.described import devices, tpu_topology
from benchmarks.device_groups import device_groups
from tests.training.test_export import small
for count in (4, 2):
    config = dataclasses.replace(small(sys.argv[1]), replicas=count)
    text = programs.lowered(config, 4, devices(tpu_topology("v5e:2x2"))).compile().as_text()
    print(json.dumps(sorted(map(sorted, device_groups(text, 4)))))
"""
PLATFORMS = ("cpu", "cuda", "tpu")
BATCH = 4


def small(name):
    """The experiment with narrow networks and, for a captioner, a tiny set of scenes."""
    config = importlib.import_module(f"experiments.{name}").config
    field = "networks" if hasattr(config, "networks") else "captioner"
    model = getattr(config, field)
    if isinstance(model, DCGAN):
        widths = {"hidden": 8, "generator_channels": (4, 2), "discriminator_channels": (2, 4)}
    elif isinstance(model, MLP):
        layers = len(model.generator_hidden)
        widths = {"generator_hidden": (8,) * layers, "discriminator_hidden": (8, 8)}
    elif isinstance(model, R3GAN | SNGAN):
        widths = {"generator_channels": (8,), "discriminator_channels": (8,)}
    elif isinstance(model, Transformer):
        widths = {"width": 8, "heads": 2, "feed_forward": 8, "layers": 1}
    else:
        widths = {"hidden": 8, "word_size": 8}
    changed = {field: dataclasses.replace(model, **widths), "batch_size": BATCH}
    if isinstance(model, SNGAN):
        changed["updates"] = Updates(discriminator=2)  # which divides the batch
    if field == "captioner":
        changed["data"] = dataclasses.replace(config.data, scenes=20)
    elif isinstance(config.data, Idx):
        changed["data"] = Mnist5k()  # which need not be installed
    return dataclasses.replace(config, **changed)


def step_of(config):
    """A step as the loop takes it, from a part of a chunk, and its arguments; shapes for state."""
    task = config.task()
    chunk = task.source.chunk(np.arange(BATCH, dtype=np.int32)[None])
    arrays, part = task.source.arrays, jax.tree.map(lambda rows: rows[0], chunk)

    @jax.jit
    def step(state, arrays, part, seed):
        return task.step(state, task.source.batch(arrays, part), jax.random.key(seed))

    @jax.jit
    def init(arrays, part):
        return task.init(jax.random.key(0), task.source.batch(arrays, part))

    return step, init, (arrays, part)


@pytest.mark.parametrize("name", long_but_for(("dcgan", "caption_lstm"), experiments()))
def test_every_step_is_exported_for_cpu_cuda_and_tpu(name):
    step, init, arguments = step_of(small(name))
    state = jax.eval_shape(init, *arguments)
    exported = export.export(step, platforms=PLATFORMS)(state, *arguments, jnp.uint32(0))
    assert exported.platforms == PLATFORMS
    returned = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    assert jax.tree.structure(returned[0]) == jax.tree.structure(state)
    assert all(metric.shape == () for metric in returned[1].values())


@pytest.mark.parametrize("name", ["vanilla_gan", "caption_rnn"])
def test_what_was_exported_takes_the_same_step(name):
    step, init, arguments = step_of(small(name))
    arguments = init(*arguments), *arguments, jnp.uint32(7)
    exported = export.export(step, platforms=PLATFORMS)(*arguments)
    for ours, theirs in zip(
        jax.tree.leaves(step(*arguments)), jax.tree.leaves(exported.call(*arguments)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def told_by(program, name):
    """What a program prints that compiles for a TPU."""
    # The compiler wants its variables before JAX starts, and could take this process along.
    done = subprocess.run(
        [sys.executable, "-c", program, name],
        capture_output=True,
        text=True,
        # libtpu ends a process whose XLA_FLAGS, here the tests', it does not know.
        env=environment() | {"PYTHONPATH": ":".join(filter(None, sys.path)), "XLA_FLAGS": ""},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.libtpu
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="needs libtpu")
@pytest.mark.parametrize("name", ["vanilla_gan", "caption_rnn"])
def test_a_step_compiles_for_four_tpu_chips(name):
    found = json.loads(told_by(COMPILE, name)[-1])
    assert found["product_flops"] > 0
    assert {one["kind"] for one in found["collectives"]} == {"all-reduce"}


@pytest.mark.libtpu
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="needs libtpu")
@pytest.mark.parametrize("name", ["vanilla_gan", "caption_rnn"])
def test_replicas_have_nothing_to_tell_each_other_on_four_tpu_chips(name):
    """Four on a chip each; two on two each, which share their batches."""
    four, two = map(json.loads, told_by(REPLICAS, name)[-2:])
    assert four == []
    assert two == [[0, 1], [2, 3]]
