"""What a trained model gives so that it can be exported: weights, a program, words about it.

A kind of model that can be exported has a method `exportable`; `folder` does the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from flax import traverse_util

from jaxgen.errors import JaxgenError
from jaxgen.nn.precision import highest
from jaxgen.training.task import Saved, TrainConfig

PyTree = Any
Arrays = dict[str, Any]


@dataclass(frozen=True)
class Program:
    """A pure function of weights and inputs, and inputs to check it with."""

    name: str
    """What it is, and its file: `generator`."""
    call: Callable[[Arrays, Arrays], Arrays]
    """(weights by dotted names, inputs by name) -> outputs by name; all inputs and outputs have the
    batch as their first axis."""
    inputs: dict[str, np.ndarray]
    """A few rows of each."""
    tolerance: float
    """How far real outputs may be on another machine, of their size where that is above 1."""

    def outputs(self, weights: Arrays) -> dict[str, np.ndarray]:
        """What it makes of its inputs, float32 products in full."""
        with highest():
            made = jax.jit(self.call)(weights, self.inputs)
        return {name: np.asarray(array) for name, array in made.items()}


@dataclass(frozen=True)
class TorchForm:
    """The same model for PyTorch."""

    arrays: dict[str, np.ndarray]
    """Its state dict."""
    source: str
    """A Python file that needs PyTorch and safetensors."""


@dataclass(frozen=True)
class Words:
    """What a model card says of a model, in Markdown."""

    task: str
    """As the Hugging Face Hub calls it."""
    what: str
    """What it makes of what: a few sentences."""
    usage: str
    """Python that follows `model = jaxgen.load(...)`."""
    limits: tuple[str, ...]
    """What it must not be used for."""


@dataclass(frozen=True)
class Exportable:
    """A trained model, ready to be written."""

    config: TrainConfig
    saved: Saved
    weights: PyTree
    """Nested dicts of what it needs to sample or to caption; `TrainConfig.restored` takes them as a
    state."""
    program: Program
    torch: Callable[[], TorchForm]
    """Raises JaxgenError where there is no PyTorch form of it."""
    words: Words


@runtime_checkable
class CanExport(Protocol):
    """A model that can be exported."""

    def exportable(self) -> Exportable:
        """What is to be written."""
        ...


def flat(tree: PyTree) -> dict[str, np.ndarray]:
    """Nested dicts of arrays by dotted names.

    Raises:
        JaxgenError: two would have the same name, or none.
    """
    found = traverse_util.flatten_dict(tree)
    if strange := [path for path in found if any("." in part or not part for part in path)]:
        raise JaxgenError(f"an array is called {'/'.join(strange[0])}, which no dotted name can be")
    return {".".join(path): np.asarray(array) for path, array in found.items()}


def nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flat`, but for dicts without an array.

    Raises:
        JaxgenError: a name is that of an array, and of what holds others.
    """
    made: dict[str, Any] = {}
    for name, array in arrays.items():
        *parents, leaf = name.split(".")
        into = made
        for parent in parents:
            into = into.setdefault(parent, {})
            if not isinstance(into, dict):
                raise JaxgenError(f"the array {name} is inside of another array")
        if leaf in into:
            raise JaxgenError(f"the name {name} is that of several arrays")
        into[leaf] = array
    return made


def difference(made: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    """How far outputs are from those that are expected, of their size where that is above 1.

    Returns:
        The largest difference; infinity where whole numbers or shapes differ.
    """
    worst = 0.0
    if made.keys() != expected.keys():
        return float("inf")
    for name, array in expected.items():
        if made[name].shape != array.shape or made[name].dtype != array.dtype:
            return float("inf")
        if array.dtype.kind == "f":
            distance = np.abs(made[name] - array) / np.maximum(1, np.abs(array))
            worst = max(worst, float(np.max(np.where(np.isnan(distance), np.inf, distance))))
        elif not np.array_equal(made[name], array):
            return float("inf")
    return worst
