"""The replicas of a run, as `jaxgen.load` returns them."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.training.metrics_file import History
from jaxgen.training.task import Saved, TrainConfig, TrainedModel

PyTree = Any
_MOST_COLUMNS = 8  # seeds that have a column of their own in a table


class TrainedReplicas:
    """Models that were trained side by side, each with a seed of its own."""

    def __init__(self, config: TrainConfig, saved: Saved) -> None:
        """Take the configuration of the run, and what it saved of all replicas.

        Raises:
            JaxgenError: what was saved is not of so many replicas.
        """
        self.config, self._saved = config, saved
        self.replicas = config.replicas
        """How many there are."""
        self.seeds = config.seeds
        """The seed of each."""
        counts = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(saved.state)}
        if counts != {(self.replicas,)}:
            raise JaxgenError(
                f"the checkpoint of step {saved.step} does not hold {self.replicas} replicas; it "
                "or the configuration was altered"
            )

    def replica(self, index: int) -> TrainedModel:
        """One of them, what `jaxgen.load` gives for a single run with its seed.

        Args:
            index: from 0; it has the seed `seeds[index]`.

        Raises:
            JaxgenError: there is no such replica.
        """
        if not 0 <= index < self.replicas:
            raise JaxgenError(
                f"there is no replica {index}: this run has {self.replicas}, 0 to "
                f"{self.replicas - 1}"
            )
        seed = self.seeds[index]
        config = dataclasses.replace(self.config, seed=seed, replicas=1)
        state = jax.tree.map(lambda leaf: leaf[index], self._saved.state)
        return config.restored(dataclasses.replace(self._saved, state=state, seed=seed))

    @property
    def module(self) -> Any:
        """The Flax module that the `params` of each belong to."""
        return self.replica(0).module

    @property
    def params(self) -> PyTree:
        """The parameters of all, with an axis of replicas in front, for `jax.vmap`."""
        each = [self.replica(index).params for index in range(self.replicas)]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *each)

    @property
    def history(self) -> History:
        """Every metric of the run by name: steps int (S,) and values float (S,).

        `d_loss` is the mean over the replicas, `d_loss_std` their standard deviation, and
        `seed_3/d_loss` that of one of them, which is `replica(i).history["d_loss"]`.
        """
        return self._saved.history

    def evaluate(self, **options: Any) -> tuple[dict[str, Any], str]:
        """How good they are.

        Args:
            **options: of `evaluate` of each, such as a captioner's `java=False`.

        Returns:
            "seeds"; "mean" and "std", figures that are numbers, over the replicas; and "replicas",
            the figures of each. And the same as a table.
        """
        models: list[Any] = [self.replica(index) for index in range(self.replicas)]
        each = [model.evaluate(**options)[0] for model in models]
        numbers = {name: of_seeds for name, of_seeds in _numbers(each).items() if of_seeds}
        mean = {name: statistics.mean(of_seeds) for name, of_seeds in numbers.items()}
        std = {name: statistics.stdev(of_seeds) for name, of_seeds in numbers.items()}
        figures = {"seeds": list(self.seeds), "mean": mean, "std": std, "replicas": each}
        return figures, _table(self.seeds, numbers)


def _numbers(each: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The figures that each of several reports has as a number, by their dotted names."""
    found: dict[str, list[float]] = {}
    for name in each[0]:
        values = [figures.get(name) for figures in each]
        if all(isinstance(one, Mapping) for one in values):
            inner = _numbers(values)  # type: ignore[arg-type]
            found |= {f"{name}.{key}": of_seeds for key, of_seeds in inner.items()}
        elif all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
            found[name] = [float(one) for one in values]  # type: ignore[arg-type]
    return found


def _table(seeds: Sequence[int], numbers: Mapping[str, Sequence[float]]) -> str:
    """Mean and standard deviation of each figure, and the values of the first seeds."""
    shown = seeds[:_MOST_COLUMNS]
    width = max([len("figure"), *map(len, numbers)]) + 2
    head = f"{'figure':{width}}{f'mean ± std of {len(seeds)} seeds':>26}"
    lines = [head + "".join(f"{f'seed {seed}':>12}" for seed in shown)]
    for name, values in numbers.items():
        middle = f"{statistics.mean(values):.4g}"
        if len(set(values)) > 1:
            middle += f" ± {statistics.stdev(values):.2g}"
        cells = "".join(f"{value:>12.4g}" for value in values[: len(shown)])
        lines.append(f"{name:{width}}{middle:>26}{cells}")
    return "\n".join(lines)
