"""The only training loop. It knows a task's pure functions, and no model, loss or data set.

Many steps run per dispatch, in one compiled loop whose length is an argument: any division of the
steps into dispatches runs the same program, so a run that was stopped and resumed goes through the
same arithmetic as one that never stopped.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh

from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training import mesh as meshes
from jaxgen.training.batches import epoch_indices
from jaxgen.training.divergence import check_metrics, check_parameters
from jaxgen.training.signals import signals_noted
from jaxgen.training.state_size import refuse_large
from jaxgen.training.task import Shown, Task, TrainConfig

PyTree = Any


class Watcher:
    """What the loop reports to; `recorder.Recorder` writes it to a run's folder."""

    def start(self) -> None:
        """All is compiled, and the first step is next."""

    def metrics(self, first_step: int, history: dict[str, np.ndarray]) -> None:
        """Metrics of the steps `first_step`, `first_step + 1`, ...; figures may follow."""

    def checkpoint(self, step: int, state: PyTree) -> None:
        """The state after `step` steps, to be saved."""

    def show(self, step: int, shown: Shown) -> None:
        """A picture of the state after `step` steps."""

    def figures(self, step: int, figures: dict[str, float]) -> None:
        """What was measured after `step` steps, perhaps nothing; `step` is done with."""

    def alarm(self, step: int, sentence: str) -> None:
        """Something looks wrong."""


class Outcome(NamedTuple):
    """How training ended."""

    state: PyTree
    step: int
    seconds: float
    """Wall time of the loop, pictures and checkpoints included."""
    interrupted: int
    """The signal that ended it early, 0 for none."""


class Loop:
    """The training of a task on all devices: followed once, compiled once, run from any step.

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
        self._task, self._config = task, config
        self.mesh = meshes.make_mesh() if mesh is None else mesh
        if config.batch_size % self.mesh.size:
            raise JaxgenError(
                f"{flag('batch_size')} {config.batch_size} does not divide among {self.mesh.size} "
                "devices"
            )
        self._replicated = meshes.replicated(self.mesh)
        self._split_batch = meshes.split_batch(self.mesh)
        # The most steps of one dispatch. With room for a single one XLA simplifies the loop away,
        # and the steps would differ from those of other programs in their last bits.
        self._capacity = max(2, min(config.log_every, config.steps))

        # It runs once. XLA takes twice as long on CPU to optimise it fully, for the same numbers.
        options = meshes.on_cpu(meshes.make_mesh(), xla_backend_optimization_level=1)

        @partial(jax.jit, compiler_options=options)
        def init(key: jax.Array, arrays: PyTree, chunk: PyTree) -> PyTree:
            # Steps fold 0, 1, 2, ... into the run's key; initialisation takes the last number.
            key = jax.random.fold_in(key, np.uint32(2**32 - 1))
            batch = task.source.batch(arrays, jax.tree.map(lambda leaf: leaf[0], chunk))
            return task.init(key, batch)

        arguments = jax.random.key(config.seed), task.source.arrays, self._host_chunk(0, 1)
        self._init = partial(init, *arguments)
        self.state_shapes: PyTree = init.eval_shape(*arguments)
        """Shapes and dtypes of the state."""

    def initial_state(self) -> PyTree:
        """The state before the first step."""
        with jax.ensure_compile_time_eval():  # nested programs may not have options of their own
            return self._init()

    def dispatch(self, state: PyTree, first_step: int, count: int) -> tuple[PyTree, PyTree]:
        """Take `count` steps in one dispatch.

        Args:
            state: the state after `first_step` steps; its buffers are given away.
            first_step: steps taken before.
            count: at most `config.log_every`.

        Returns:
            The state after them, and each metric as float32, of which the first `count` values are
            filled.
        """
        # Indices are padded to the capacity, since another shape would be another program.
        host_chunk = self._host_chunk(first_step, first_step + self._capacity)
        with jax.ensure_compile_time_eval():
            chunk = jax.device_put(host_chunk, self._split_batch)
            arguments = self._arrays, chunk, first_step, count, self._key
        is_nested = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(state))
        return (self._steps if is_nested else self._program)(state, *arguments)

    def run(
        self,
        state: PyTree | None = None,
        start: int = 0,
        watcher: Watcher | None = None,
        *,
        unseen: Mapping[str, float] | None = None,
    ) -> Outcome:
        """Train from step `start` to `config.steps`.

        Nothing that is drawn or measured can lose training: a checkpoint that is due comes first,
        and a run that died in between looks at that state again.

        Args:
            state: the state after `start` steps; the initial one if None.
            start: steps done before.
            watcher: gets metrics, checkpoints, pictures, figures and alarms.
            unseen: metrics of step `start`, if its pictures and figures are still to come.

        Returns:
            The last state and how it came to be; a signal (Ctrl-C, SIGTERM) ends the loop after
            the dispatch under way, with a checkpoint.

        Raises:
            Diverged: a metric or a parameter is not finite. Nothing is saved after that step.
        """
        task, config = self._task, self._config
        # XLA compiles outside of Python's lock, so that the two do not wait for each other.
        with ThreadPoolExecutor(1) as pool:
            compiling = pool.submit(lambda: self._program)
            state = self.initial_state() if state is None else state
        compiling.result()
        state = jax.device_put(state, self._replicated)
        watcher = watcher or Watcher()
        watcher.start()
        began, step, saved = time.perf_counter(), start, start
        watched = _Watched(task)

        def look() -> None:
            last = step == config.steps
            figures = task.watch(state) if last or _due(step, config.log_every) else {}
            shown = task.show(state) if last or _due(step, config.sample_every) else None
            if _due(step, config.evaluate_every) or (last and config.evaluate_every):
                figures = figures | task.evaluate(state)
            if shown:
                watcher.show(step, shown)
            watcher.figures(step, figures)
            watched.figures.append(figures)
            if last or _due(step, config.log_every):
                for sentence in watched.new_alarms():
                    watcher.alarm(step, sentence)

        with signals_noted() as noted:
            if unseen is not None:
                watched.metrics.append({name: np.asarray([x]) for name, x in unseen.items()})
                look()
            if config.sample_at_start and not start:
                watcher.show(0, task.show(state))
            while step < config.steps and not noted:
                stop = _next_stop(step, config)
                state, device_history = self.dispatch(state, step, stop - step)
                part = {
                    name: np.asarray(row)[: stop - step] for name, row in device_history.items()
                }
                check_metrics(part, step)
                watcher.metrics(step + 1, part)
                watched.metrics.append(part)
                step = stop
                if step == config.steps or noted or _due(step, config.checkpoint_every):
                    check_parameters(state, step)
                    watcher.checkpoint(step, state)
                    saved = step
                look()
            if step != saved:  # a signal came while pictures were drawn
                check_parameters(state, step)
                watcher.checkpoint(step, state)
        return Outcome(state, step, time.perf_counter() - began, noted[0] if noted else 0)

    def _host_chunk(self, start: int, stop: int) -> PyTree:
        source, config = self._task.source, self._config
        return source.chunk(epoch_indices(source.size, config.batch_size, config.seed, start, stop))

    @cached_property
    def _arrays(self) -> PyTree:
        return jax.device_put(self._task.source.arrays, self._replicated)

    @cached_property
    def _key(self) -> jax.Array:
        return jax.device_put(jax.random.key(self._config.seed), self._replicated)

    def _steps(
        self, state: PyTree, arrays: PyTree, chunk: PyTree, first_step: Any, count: Any, key: Any
    ) -> tuple[PyTree, dict[str, jax.Array]]:
        """The next `count` of at most `_capacity` steps."""
        task = self._task

        @partial(jax.jit, inline=True)  # traced once, although it is called twice below
        def one_step(i: Any, state: PyTree) -> tuple[PyTree, dict[str, jax.Array]]:
            batch = task.source.batch(arrays, jax.tree.map(lambda leaf: leaf[i], chunk))
            return task.step(state, batch, jax.random.fold_in(key, first_step + i))

        _, metrics = jax.eval_shape(one_step, 0, state)
        history = {name: jnp.zeros(self._capacity, jnp.float32) for name in metrics}

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
            compiler_options=meshes.on_cpu(
                self.mesh, xla_cpu_copy_insertion_use_region_analysis=True
            ),
            donate_argnums=0,
            in_shardings=(self._replicated, self._replicated, self._split_batch, None, None, None),
            out_shardings=self._replicated,
        )
        chunk = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((self._capacity, *leaf.shape[1:]), leaf.dtype),
            self._host_chunk(0, 1),
        )
        key = jax.eval_shape(jax.random.key, 0)
        arguments = self.state_shapes, self._task.source.arrays, chunk, 0, 1, key
        with jax.set_mesh(self.mesh):
            return steps.lower(*arguments)

    @cached_property
    def _program(self) -> Callable:
        """`_steps`, compiled."""
        program = self.lowered().compile()
        refuse_large(program, f"choose a smaller {flag('batch_size')}")
        return program


def _next_stop(step: int, config: TrainConfig) -> int:
    """The first step after `step` at which something is due; at most `log_every` later."""
    periods = (
        config.log_every,
        config.sample_every,
        config.evaluate_every,
        config.checkpoint_every,
    )
    return min(config.steps, *((step // period + 1) * period for period in periods if period))


def _due(step: int, period: int) -> bool:
    return period > 0 and step % period == 0


class _Watched:
    """What alarms read: metrics since the last log line, and the figures of every stop."""

    def __init__(self, task: Task) -> None:
        self._task, self._active = task, set[str]()
        self.metrics: list[dict[str, np.ndarray]] = []
        self.figures: list[dict[str, float]] = []

    def new_alarms(self) -> list[str]:
        """Sentences that were not true at the last log line; a new log line begins."""
        found = set(self._task.alarms(_join(self.metrics) | _join(self.figures)))
        new = sorted(found - self._active)
        self._active, self.metrics = found, []
        return new


def _join(history: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    names = dict.fromkeys(name for part in history for name in part)
    return {
        name: np.concatenate([np.atleast_1d(part[name]) for part in history if name in part])
        for name in names
    }
