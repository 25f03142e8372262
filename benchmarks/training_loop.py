"""A task's training step as jaxgen really runs it, and alone, to be measured."""

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.measuring import Contender, Flops, plain_flops
from jaxgen.training import loop as train
from jaxgen.training.batches import epoch_indices
from jaxgen.training.task import Task, TrainConfig


def in_loop(task: Task, config: TrainConfig, capacity: int) -> Contender:
    """Steps in the compiled loop of `jaxgen.train`, gathering their batches: at most `capacity`."""
    mesh = train.make_mesh()
    loop = train.compile_steps(task, mesh, capacity)
    indices = epoch_indices(task.source.size, config.batch_size, config.seed, 0, capacity)
    chunk = jax.device_put(
        task.source.chunk(indices), NamedSharding(mesh, PartitionSpec(None, "data"))
    )
    state, arrays, key = jax.device_put(
        (train.init_state(task, config), task.source.arrays, jax.random.key(config.seed)),
        NamedSharding(mesh, PartitionSpec()),
    )

    def run(count):
        nonlocal state
        state, history = loop(state, arrays, chunk, 0, count, key)
        jax.block_until_ready((state, history))

    return Contender("jaxgen", run)


def alone(task: Task, config: TrainConfig) -> Contender:
    """One step a dispatch, on a batch that was gathered before, in a program without a loop."""
    state, batch = train.init_state(task, config), _batch(task, config)
    key = jax.random.key(config.seed)
    step = jax.jit(
        lambda state, batch, i: task.step(state, batch, jax.random.fold_in(key, i)),
        donate_argnums=0,
    )

    def run(count):
        nonlocal state
        for i in range(count):
            state, metrics = step(state, batch, i)
            jax.block_until_ready((state, metrics))

    return Contender("jaxgen, one step alone", run)


def flops(task: Task, config: TrainConfig) -> Flops:
    """Of one step in its plain formulation; it must hold no loop."""
    key, batch = jax.random.key(config.seed), _batch(task, config)
    state = jax.eval_shape(task.init, key, batch)
    return plain_flops(task.step, state, batch, key)


def _batch(task: Task, config: TrainConfig):
    indices = epoch_indices(task.source.size, config.batch_size, config.seed, 0, 1)
    first = jax.tree.map(lambda leaf: leaf[0], task.source.chunk(indices))
    return jax.tree.map(jnp.asarray, task.source.batch(task.source.arrays, first))
