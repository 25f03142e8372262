"""The program of a training: a task's pure functions compiled for the devices.

Many steps run per dispatch, in one compiled loop whose length is an argument: any division of the
steps into dispatches runs the same program, so a run that was stopped and resumed goes through the
same arithmetic as one that never stopped.

With several replicas, state, key, chunk and metrics have an axis in front, a place for each; `each`
makes the program of all from that of one.
"""

import os
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import jaxpr_as_fun
from jax.sharding import Mesh

from jaxgen.nn.batch_axis import AXIS
from jaxgen.settings import flag
from jaxgen.training import mesh as meshes
from jaxgen.training.batches import epoch_indices
from jaxgen.training.devices import chosen, refuse_uneven
from jaxgen.training.joined_draws import joined
from jaxgen.training.replicas import each
from jaxgen.training.state_size import refuse_large, refuse_large_state
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
        self.seeds = config.seeds
        """Of the replicas; of a single one, the run's own."""
        replicas = len(self.seeds)
        flat = meshes.make_mesh(chosen(config.devices)) if mesh is None else mesh
        self.mesh = meshes.for_replicas(flat, replicas)
        refuse_uneven(config.batch_size, self.mesh.shape[AXIS], task.source.size)
        self._replicated = meshes.replicated(self.mesh)
        self._of_each = meshes.of_each(self.mesh, replicas)
        self._split_batch = meshes.split_batch(self.mesh, replicas)
        # The most steps of one dispatch. With room for a single one XLA simplifies the loop away,
        # and the steps would differ from those of other programs in their last bits.
        most = task.source.most_steps or config.log_every
        self.capacity = max(2, min(config.log_every, config.steps, most))

        def init_of_one(arrays: PyTree, key: jax.Array, chunk: PyTree) -> PyTree:
            # Steps fold 0, 1, 2, ... into the run's key; initialisation takes the last number.
            key = jax.random.fold_in(key, np.uint32(2**32 - 1))
            batch = task.source.batch(arrays, jax.tree.map(lambda leaf: leaf[0], chunk))
            return task.init(key, batch)

        def init(key: jax.Array, arrays: PyTree, chunk: PyTree) -> PyTree:
            return each(init_of_one, replicas, self.mesh)(arrays, key, chunk)

        # Followed once, for the shapes and for the program.
        self._init, shapes = jax.make_jaxpr(init, return_shape=True)(*self._shapes_for_init())
        self.state_shapes: PyTree = shapes
        """Shapes and dtypes of the state."""
        self.state_shardings: PyTree = meshes.of_state(
            self.state_shapes, self.mesh, config.shard_parameters, replicas
        )
        """How it lies on the devices."""
        if replicas > 1:
            share = meshes.share(self.mesh, config.shard_parameters)
            refuse_large_state(self.state_shapes, share, f"give fewer {flag('replicas')}")
        self._flat = flat

    def initial_state(self) -> PyTree:
        """The state before the first step."""
        # It runs once. XLA takes twice as long on CPU to optimise it fully, for the same numbers.
        level = "xla_backend_optimization_level"
        is_given = f"--{level}=" in os.environ.get("XLA_FLAGS", "")  # the tests' is less
        # Of a split state each device draws its own part, and so each parameter by itself.
        is_split = self.config.shard_parameters
        drawn = jaxpr_as_fun(self._init) if is_split else joined(self._init)

        def init(*arguments: PyTree) -> PyTree:
            leaves = drawn(*jax.tree.leaves(arguments))
            return jax.tree.unflatten(jax.tree.structure(self.state_shapes), leaves)

        jitted = jax.jit(
            init,
            compiler_options={} if is_given else meshes.on("cpu", self.mesh, **{level: 1}),
            in_shardings=(self._of_each, self._replicated, self._split_batch),
            out_shardings=self.state_shardings,
        )
        # Compiled by itself: what is nested in another program may not have options.
        compiled = jitted.lower(*self._shapes_for_init()).compile()
        with jax.ensure_compile_time_eval():
            state = compiled(self._key, self._arrays, self.chunk(0, 1))
        given = self.task.begin()
        return state if given is None else self._with(state, given)

    def _shapes_for_init(self) -> tuple[PyTree, ...]:
        return self._key_shape, self.task.source.arrays, self._chunk_shapes(1)

    def _with(self, state: PyTree, given: dict[str, PyTree]) -> PyTree:
        """The state with some parts from elsewhere, for each replica its own or the same ones.

        Those not given stay as they were drawn.
        """

        def placed(new: Any, old: Any, sharding: Any) -> jax.Array:
            return meshes.place(np.broadcast_to(np.asarray(new, old.dtype), old.shape), sharding)

        def joined(new: Any, old: Any, shardings: Any) -> Any:
            if not isinstance(new, dict):
                return placed(new, old, shardings)
            return {**old, **{k: joined(new[k], old[k], shardings[k]) for k in new}}

        parts = flax.serialization.to_state_dict(state)
        shardings = flax.serialization.to_state_dict(self.state_shardings)
        return flax.serialization.from_state_dict(state, joined(given, parts, shardings))

    def placed(self, saved: PyTree) -> PyTree:
        """A state on the devices, from arrays or from what reads any part of them."""
        return jax.tree.map(meshes.place, saved, self.state_shardings)

    def replica(self, state: PyTree, index: int) -> PyTree:
        """A replica's state from that of all, on all devices as that of a single run."""
        return self._taken(state, index)

    @cached_property
    def _taken(self) -> Callable[[PyTree, Any], PyTree]:
        def taken(state: PyTree, index: jax.Array) -> PyTree:
            return jax.tree.map(lambda leaf: leaf[index], state)

        shapes = jax.eval_shape(taken, self.state_shapes, 0)
        shardings = meshes.of_state(shapes, self._flat, self.config.shard_parameters)
        return jax.jit(taken, out_shardings=shardings)

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
            The state after them, and each metric as float32 (capacity,), of several replicas
            (R, capacity), of which the first `count` values are filled.
        """
        with jax.ensure_compile_time_eval():
            chunk = self.chunk(first_step, count, self.capacity) if chunk is None else chunk
            arguments = self._arrays, chunk, first_step, count, self._key
        is_nested = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(state))
        state, history = (self._steps if is_nested else self._program)(state, *arguments)
        if not is_nested and not self._of_each.is_fully_addressable:
            history = self._known_to_all(history)
        return state, history

    def _host_chunk(self, start: int, steps: int) -> PyTree:
        """What this process feeds to its devices in some steps."""
        source, size = self.task.source, self.config.batch_size
        own, replicas = meshes.own_columns(self.mesh, size), len(self.seeds)
        if replicas == 1:
            return source.chunk(self._rows(self.seeds[0], start, steps)[:, own])
        fed = self.seeds[meshes.own_replicas(self.mesh, replicas)]
        rows = np.concatenate([self._rows(seed, start, steps)[:, own] for seed in fed])
        return jax.tree.map(
            lambda leaf: leaf.reshape(len(fed), steps, *leaf.shape[1:]), source.chunk(rows)
        )

    def _rows(self, seed: int, start: int, steps: int) -> np.ndarray:
        size, batch_size = self.task.source.size, self.config.batch_size
        return epoch_indices(size, batch_size, seed, start, start + steps)

    def chunk(self, start: int, steps: int, room: int = 0) -> PyTree:
        """The same on the devices, as a part of what all processes feed.

        Args:
            start: steps taken before.
            steps: how many of them to prepare.
            room: for how many there is room in the program, which takes one shape only.
        """

        along = len(self._axes)

        def placed(rows: np.ndarray) -> jax.Array:
            if room > steps:
                left = list(rows.shape)
                left[along] = room - steps
                rows = np.concatenate([rows, np.zeros_like(rows, shape=left)], along)
            shape = self._chunk_shape(rows, rows.shape[along])
            return meshes.place_part(rows, self._split_batch, shape)

        return jax.tree.map(placed, self._host_chunk(start, steps))

    @property
    def _axes(self) -> tuple[int, ...]:
        """The sizes of the axes in front of what each replica owns: none of a single one."""
        return () if len(self.seeds) == 1 else (len(self.seeds),)

    def _chunk_shape(self, part: Any, steps: int) -> tuple[int, ...]:
        """The shape of all processes' parts of so many steps together."""
        return (*self._axes, steps, self.config.batch_size, *part.shape[len(self._axes) + 2 :])

    def _chunk_shapes(self, steps: int) -> PyTree:
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(self._chunk_shape(leaf, steps), leaf.dtype),
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
        return jax.jit(self._make_key, out_shardings=self._of_each)()

    @property
    def _key_shape(self) -> Any:
        return jax.eval_shape(self._make_key)

    @property
    def _make_key(self) -> Callable[[], jax.Array]:
        """What makes the run's key, or one for each seed."""
        if not self._axes:
            return partial(jax.random.key, self.config.seed)
        return lambda: jnp.stack([jax.random.key(seed) for seed in self.seeds])

    @cached_property
    def _known_to_all(self) -> Callable[[PyTree], PyTree]:
        """Metrics as each process of several can fetch them."""
        return jax.jit(lambda history: history, out_shardings=self._replicated)

    def _steps(
        self, state: PyTree, arrays: PyTree, chunk: PyTree, first_step: Any, count: Any, key: Any
    ) -> tuple[PyTree, dict[str, jax.Array]]:
        """The next `count` of at most `capacity` steps."""
        shared = arrays, first_step, count
        steps = each(self._steps_of_one, len(self.seeds), self.mesh, updates=True)
        return steps(shared, state, chunk, key)

    def _steps_of_one(
        self, shared: PyTree, state: PyTree, chunk: PyTree, key: Any
    ) -> tuple[PyTree, dict[str, jax.Array]]:
        task, (arrays, first_step, count) = self.task, shared

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
                self._of_each if self._axes else None,
            ),
            out_shardings=(self.state_shardings, self._of_each),
        )
        chunk = self._chunk_shapes(self.capacity)
        arguments = self.state_shapes, self.task.source.arrays, chunk, 0, 1, self._key_shape
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
