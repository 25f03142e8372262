"""The program of a training: a task's pure functions compiled for the devices.

Many steps run per dispatch, in one compiled loop whose length is an argument: any division of the
steps into dispatches runs the same program, so a run that was stopped and resumed goes through the
same arithmetic as one that never stopped.
"""

import os
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh

from jaxgen.settings import flag
from jaxgen.training import mesh as meshes
from jaxgen.training.batches import epoch_indices
from jaxgen.training.devices import chosen, refuse_uneven
from jaxgen.training.state_size import refuse_large
from jaxgen.training.task import Task, TrainConfig

PyTree = Any


class Program:
    """A task on the devices: followed once, compiled once, run from any step.

    Making one follows the initialisation, which shows whether networks, data and numbers fit
    together.
    """

    def __init__(self, task: Task, config: TrainConfig, mesh: Mesh | None = None) -> None:
        """Takes what to train, and the numbers of its training.

        Args:
            task: what to train.
            config: its numbers.
            mesh: the devices; all there are by default. Of described devices programs can be
                compiled, but not run.

        Raises:
            JaxgenError: networks, data and numbers do not fit together, the batch does not divide
                among the devices or exceeds the data set.
        """
        self.task, self.config = task, config
        self.mesh = meshes.make_mesh(chosen(config.devices)) if mesh is None else mesh
        refuse_uneven(config.batch_size, self.mesh.size, task.source.size)
        self._replicated = meshes.replicated(self.mesh)
        self._split_batch = meshes.split_batch(self.mesh)
        # The most steps of one dispatch. With room for a single one XLA simplifies the loop away,
        # and the steps would differ from those of other programs in their last bits.
        most = task.source.most_steps or config.log_every
        self.capacity = max(2, min(config.log_every, config.steps, most))

        def init(key: jax.Array, arrays: PyTree, chunk: PyTree) -> PyTree:
            # Steps fold 0, 1, 2, ... into the run's key; initialisation takes the last number.
            key = jax.random.fold_in(key, np.uint32(2**32 - 1))
            batch = task.source.batch(arrays, jax.tree.map(lambda leaf: leaf[0], chunk))
            return task.init(key, batch)

        self._init = init
        key = jax.eval_shape(jax.random.key, 0)
        self.state_shapes: PyTree = jax.eval_shape(
            init, key, task.source.arrays, self._chunk_shapes(1)
        )
        """Shapes and dtypes of the state."""
        self.state_shardings: PyTree = meshes.of_state(
            self.state_shapes, self.mesh, config.shard_parameters
        )
        """How it lies on the devices."""

    def initial_state(self) -> PyTree:
        """The state before the first step."""
        # It runs once. XLA takes twice as long on CPU to optimise it fully, for the same numbers.
        level = "xla_backend_optimization_level"
        is_given = f"--{level}=" in os.environ.get("XLA_FLAGS", "")  # the tests' is less
        init = jax.jit(
            self._init,
            compiler_options={} if is_given else meshes.on("cpu", self.mesh, **{level: 1}),
            out_shardings=self.state_shardings,
        )
        with jax.ensure_compile_time_eval():  # nested programs may not have options of their own
            return init(self._key, self._arrays, self.chunk(0, 1))

    def placed(self, saved: PyTree) -> PyTree:
        """A state on the devices, from arrays or from what reads any part of them."""
        return jax.tree.map(meshes.place, saved, self.state_shardings)

    def dispatch(
        self, state: PyTree, first_step: int, count: int, chunk: PyTree = None
    ) -> tuple[PyTree, PyTree]:
        """Take `count` steps in one dispatch.

        Args:
            state: the state after `first_step` steps; its buffers are given away.
            first_step: steps taken before.
            count: at most `config.log_every`.
            chunk: what `chunk` gives for these steps, where it was asked for before.

        Returns:
            The state after them, and each metric as float32, of which the first `count` values are
            filled.
        """
        with jax.ensure_compile_time_eval():
            chunk = self.chunk(first_step, count, self.capacity) if chunk is None else chunk
            arguments = self._arrays, chunk, first_step, count, self._key
        is_nested = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(state))
        return (self._steps if is_nested else self._program)(state, *arguments)

    def _host_chunk(self, start: int, steps: int) -> PyTree:
        """What this process feeds to its devices in some steps."""
        source, config = self.task.source, self.config
        rows = epoch_indices(source.size, config.batch_size, config.seed, start, start + steps)
        return source.chunk(rows[:, meshes.own_columns(self.mesh, config.batch_size)])

    def chunk(self, start: int, steps: int, room: int = 0) -> PyTree:
        """The same on the devices, as a part of what all processes feed.

        Args:
            start: steps taken before.
            steps: how many of them to prepare.
            room: for how many there is room in the program, which takes one shape only.
        """

        def placed(rows: np.ndarray) -> jax.Array:
            if room > steps:
                rows = np.concatenate(
                    [rows, np.zeros_like(rows, shape=(room - steps, *rows.shape[1:]))]
                )
            return meshes.place_columns(rows, self._split_batch, self.config.batch_size)

        return jax.tree.map(placed, self._host_chunk(start, steps))

    def _chunk_shapes(self, steps: int) -> PyTree:
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                (steps, self.config.batch_size, *leaf.shape[2:]), leaf.dtype
            ),
            self._first_chunk,
        )

    @cached_property
    def _first_chunk(self) -> PyTree:
        """What the first step needs of the host: a set that streams decodes it once."""
        return self._host_chunk(0, 1)

    @cached_property
    def _arrays(self) -> PyTree:
        return jax.tree.map(
            lambda array: meshes.place(array, self._replicated), self.task.source.arrays
        )

    @cached_property
    def _key(self) -> jax.Array:
        make = jax.jit(partial(jax.random.key, self.config.seed), out_shardings=self._replicated)
        return make()

    def _steps(
        self, state: PyTree, arrays: PyTree, chunk: PyTree, first_step: Any, count: Any, key: Any
    ) -> tuple[PyTree, dict[str, jax.Array]]:
        """The next `count` of at most `capacity` steps."""
        task = self.task

        @partial(jax.jit, inline=True)  # traced once, although it is called twice below
        def one_step(i: Any, state: PyTree) -> tuple[PyTree, dict[str, jax.Array]]:
            batch = task.source.batch(arrays, jax.tree.map(lambda leaf: leaf[i], chunk))
            return task.step(state, batch, jax.random.fold_in(key, first_step + i))

        _, metrics = jax.eval_shape(one_step, 0, state)
        history = {name: jnp.zeros(self.capacity, jnp.float32) for name in metrics}

        def body(i: jax.Array, carry: tuple[PyTree, Any]) -> tuple[PyTree, Any]:
            state, history = carry
            state, metrics = one_step(i, state)
            new = {name: jnp.asarray(metrics[name], jnp.float32) for name in history}
            return state, {name: history[name].at[i].set(new[name]) for name in history}

        return jax.lax.fori_loop(0, count, body, (state, history))

    def lowered(self) -> jax.stages.Lowered:
        """The program of a dispatch, to be compiled; its first argument, the state, is donated."""
        steps = jax.jit(
            self._steps,
            # Without it each step copies most parameters and moments before Adam overwrites them:
            # XLA does not see that all who read them came before. An MLP GAN's step is 1.12 times
            # as fast.
            compiler_options=self._options(),
            donate_argnums=0,
            in_shardings=(
                self.state_shardings,
                self._replicated,
                self._split_batch,
                None,
                None,
                None,
            ),
            out_shardings=(self.state_shardings, self._replicated),
        )
        key = jax.eval_shape(jax.random.key, 0)
        chunk = self._chunk_shapes(self.capacity)
        arguments = self.state_shapes, self.task.source.arrays, chunk, 0, 1, key
        with jax.set_mesh(self.mesh):
            return steps.lower(*arguments)

    def _options(self) -> dict[str, Any]:
        """XLA's, for the platform of the mesh."""
        options = meshes.on("cpu", self.mesh, xla_cpu_copy_insertion_use_region_analysis=True)
        if self.config.deterministic:
            options |= meshes.on("gpu", self.mesh, xla_gpu_deterministic_ops=True)
        return options

    @cached_property
    def _program(self) -> Callable:
        """`_steps`, compiled."""
        program = self.lowered().compile()
        refuse_large(program, f"choose a smaller {flag('batch_size')}")
        return program
