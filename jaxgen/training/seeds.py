"""Figures of several seeds by name: those of each, their mean and their spread.

A run with replicas tells of a metric such as `d_loss` three times: `d_loss`, the mean over its
seeds; `d_loss_std`, their standard deviation (that of a sample, which divides by one less than
there are); and `seed_3/d_loss`, the seed's own, for each seed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from jaxgen.errors import JaxgenError

T = TypeVar("T")
_OF_SEED = re.compile(r"seed_(\d+)/(.+)", re.DOTALL)


def by_seed(seeds: Sequence[int], figures: Sequence[Mapping[str, T]]) -> dict[str, T]:
    """The figures of each seed under one name each, `seed_3/d_loss` for one."""
    return {
        f"seed_{seed}/{name}": value
        for seed, own in zip(seeds, figures, strict=True)
        for name, value in own.items()
    }


def of_seed(figures: Mapping[str, T], seed: int) -> dict[str, T]:
    """One seed's figures, by their own names."""
    prefix = f"seed_{seed}/"
    own = (name for name in figures if name.startswith(prefix))
    return {name.removeprefix(prefix): figures[name] for name in own}


def of_all(figures: Mapping[str, T]) -> dict[str, T]:
    """What is no single seed's: means and spreads."""
    return {name: value for name, value in figures.items() if not _OF_SEED.fullmatch(name)}


def with_spread(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Mean and spread of each metric, then the seeds' own.

    Args:
        figures: as `by_seed` gives them, numbers or arrays of one length; others are left out. A
            metric that some seeds lack is told over those that have it, of a single one without a
            spread.

    Returns:
        All of them by name.

    Raises:
        JaxgenError: a metric has the name of another one's spread.
    """
    values: dict[str, list[Any]] = {}
    for name, value in figures.items():
        if found := _OF_SEED.fullmatch(name):
            values.setdefault(found[2], []).append(value)
    told: dict[str, Any] = {}
    for name, of_seeds in values.items():
        if f"{name}_std" in values:
            raise JaxgenError(
                f"with replicas {name}_std is the spread of the metric {name}: give the metric of "
                "this name another one"
            )
        stacked = np.asarray(of_seeds, np.float64)
        told[name] = stacked.mean(axis=0)
        if len(stacked) > 1:
            told[f"{name}_std"] = stacked.std(axis=0, ddof=1)
    return told | {name: figures[name] for name in figures if _OF_SEED.fullmatch(name)}


def means_and_spreads(history: Mapping[str, T]) -> tuple[dict[str, T], dict[str, T]]:
    """The means over seeds of a history, and by the same names their spreads."""
    known = of_all(history)
    spreads = {name: known[f"{name}_std"] for name in known if f"{name}_std" in known}
    means = known.keys() - {f"{name}_std" for name in spreads}
    return {name: known[name] for name in known if name in means}, spreads
