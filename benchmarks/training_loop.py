"""A task's training step as jaxgen really runs it, and alone, to be measured."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.measuring import Contender, Flops, plain_flops
from jaxgen.training.batches import epoch_indices
from jaxgen.training.loop import Loop
from jaxgen.training.task import Task, TrainConfig


def loop_of(task: Task, config: TrainConfig, capacity: int) -> Loop:
    """A training's loop that takes at most `capacity` steps at a time."""
    # A loop takes no more steps at a time than it logs, nor than there are; the task is made
    # already, so that its schedule does not change with their number.
    steps = max(capacity, config.steps)
    return Loop(task, replace(config, log_every=capacity, steps=steps))


def in_loop(task: Task, config: TrainConfig, capacity: int, name: str = "jaxgen") -> Contender:
    """Steps as `jaxgen.training.loop.Loop` dispatches them: at most `capacity` at a time."""
    return stepping(loop_of(task, config, capacity), name)


def stepping(loop: Loop, name: str = "jaxgen") -> Contender:
    """The steps of a loop from its initial state on."""
    state = jax.device_put(loop.initial_state(), NamedSharding(loop.mesh, PartitionSpec()))

    def run(count: int) -> None:
        nonlocal state
        state, history = loop.dispatch(state, 0, count)
        jax.block_until_ready((state, history))

    return Contender(name, run)


def alone(task: Task, config: TrainConfig) -> Contender:
    """One step a dispatch, on a batch that was gathered before, in a program without a loop."""
    state, batch = Loop(task, config).initial_state(), _batch(task, config)
    key = jax.random.key(config.seed)
    step = jax.jit(
        lambda state, batch, i: task.step(state, batch, jax.random.fold_in(key, i)),
        donate_argnums=0,
    )

    def run(count: int) -> None:
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


def _batch(task: Task, config: TrainConfig) -> Any:
    indices = epoch_indices(task.source.size, config.batch_size, config.seed, 0, 1)
    first = jax.tree.map(lambda leaf: leaf[0], task.source.chunk(indices))
    return jax.tree.map(jnp.asarray, task.source.batch(task.source.arrays, first))
