"""Replicas: seeds of one configuration that are trained side by side, in one program.

Each has its own state, key and batches, those of a single run with its seed; a kind of model knows
nothing of it. All that a replica owns has an axis in front, R replicas. Where the mesh has an axis
'replica', each row of devices has the replicas that are its own, and nothing travels between rows.

The replicas of a row are one batch of operations (`jax.vmap`), except on a CPU: there one after the
other takes all steps of a dispatch, in a loop around the very loop of a single run. That is as
fast, since one replica's products keep all cores busy, needs the working memory of one, and gives
each replica the bits of its single run; products of several at once add up in another order.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxgen.display import plots
from jaxgen.training import mesh as meshes
from jaxgen.training import seeds as of_seeds
from jaxgen.training.task import Shown, Task

PyTree = Any
MOST_SHOWN = 16
"""Replicas in one picture; `jaxgen sample RUN --replica 20` shows any."""


def each(
    function: Callable[..., Any], replicas: int, mesh: Mesh, *, updates: bool = False
) -> Callable[..., Any]:
    """A pure function of one replica as one of all.

    Args:
        function: (shared, *own) -> results, pytrees.
        replicas: R.
        mesh: the devices.
        updates: whether results are two, of which the first takes the place of `own[0]`.

    Returns:
        The same of what each replica owns, with R in front; `function` itself where R is 1.
    """
    if replicas == 1:
        return function
    axis = meshes.REPLICA if meshes.REPLICA in mesh.shape else None

    def together(shared: PyTree, *own: PyTree) -> PyTree:
        return jax.vmap(partial(function, shared), spmd_axis_name=axis)(*own)

    def in_turn(shared: PyTree, *own: PyTree) -> PyTree:
        if not updates:
            return jax.lax.map(lambda own: function(shared, *own), own)

        # The states are in the loop's carry, where each is replaced without a copy of the others.
        def turn(states: PyTree, place_own: PyTree) -> tuple[PyTree, PyTree]:
            place, own = place_own
            state = jax.tree.map(partial(_taken, place=place), states)
            state, told = function(shared, state, *own)
            return jax.tree.map(partial(_put, place=place), states, state), told

        states, *rest = own
        return jax.lax.scan(turn, states, (np.arange(len(jax.tree.leaves(rest)[0])), rest))

    def in_turn_on_each_row(shared: PyTree, *own: PyTree) -> PyTree:
        # A loop along an axis that is split would fetch each replica to all devices.
        row = PartitionSpec(axis)
        return jax.shard_map(
            in_turn,
            mesh=mesh,
            in_specs=(PartitionSpec(), *[row] * len(own)),
            out_specs=row,
            axis_names={axis},
            check_vma=False,
        )(shared, *own)

    if meshes.platform_of(mesh) != "cpu":
        return together
    return in_turn_on_each_row if axis else in_turn


def _taken(leaf: jax.Array, place: jax.Array) -> jax.Array:
    return jax.lax.dynamic_index_in_dim(leaf, place, keepdims=False)


def _put(leaf: jax.Array, new: jax.Array, place: jax.Array) -> jax.Array:
    return jax.lax.dynamic_update_index_in_dim(leaf, new, place, 0)


def looking_at_each(task: Task, seeds: Sequence[int], one: Callable[[PyTree, int], PyTree]) -> Task:
    """What is shown and measured of the states of all replicas.

    Args:
        task: of one.
        seeds: of each.
        one: (states, index) -> a replica's state.

    Returns:
        The task with `show`, `watch`, `evaluate` and `alarms` of all. Figures are those of
        `jaxgen.training.seeds.with_spread`; sentences begin with the seed.
    """
    tasks = [task.reseeded(seed) if task.reseeded else task for seed in seeds]

    def told(figures: Sequence[dict[str, float]]) -> dict[str, float]:
        return of_seeds.with_spread(of_seeds.by_seed(seeds, figures))

    def show(states: PyTree) -> Shown:
        shown = [own.show(one(states, index)) for index, own in enumerate(tasks[:MOST_SHOWN])]
        titles = [f"seed {seed}" for seed in seeds[: len(shown)]]
        picture = plots.titled([part.picture for part in shown], titles)
        texts = [f"{title}\n{part.text}" for title, part in zip(titles, shown, strict=True)]
        captions = tuple(
            caption._replace(seed=seed)
            for seed, part in zip(seeds, shown, strict=False)
            for caption in part.captions
        )
        text = "\n".join(texts) if any(part.text for part in shown) else ""
        return Shown(picture, text, captions)

    def watch(states: PyTree) -> Callable[[], dict[str, float]]:
        under_way = [own.watch(one(states, index)) for index, own in enumerate(tasks)]
        return lambda: told([figures() for figures in under_way])

    def evaluate(states: PyTree) -> dict[str, float]:
        return told([own.evaluate(one(states, index)) for index, own in enumerate(tasks)])

    def alarms(history: dict[str, np.ndarray]) -> list[str]:
        return [
            f"seed {seed}: {sentence}"
            for seed, own in zip(seeds, tasks, strict=True)
            for sentence in own.alarms(of_seeds.of_seed(history, seed))
        ]

    return replace(task, show=show, watch=watch, evaluate=evaluate, alarms=alarms)
