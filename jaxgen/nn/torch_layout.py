"""Weights as PyTorch has them and as jaxgen has them, layer by layer, in NumPy: without PyTorch.

| layer | PyTorch | jaxgen |
|---|---|---|
| dense | weight (O, I) | kernel (I, O) |
| convolution | weight (O, I, H, W) | kernel (H, W, I, O) |
| transposed convolution | weight (I, O, H, W) | kernel (H, W, I, O), turned by 180 degrees |
| batch norm | weight, bias, running_mean, running_var | scale, bias, mean, var |

Batch norms of both keep 0.9 of a running average at each update and take up the variance with
divisor n - 1, so that their statistics are the same numbers. jaxgen flattens an image as (H, W, C)
and PyTorch as (C, H, W): features that were an image, or become one, are reordered.

I O input and output features or channels, H W height and width.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jaxgen.errors import JaxgenError

Kind = Literal["dense", "convolution", "transposed convolution", "batch norm"]
Arrays = dict[str, np.ndarray]

_STATISTICS = {"mean": "running_mean", "var": "running_var"}
_OF_NORM = {"scale": "weight", "bias": "bias", **_STATISTICS}
EPSILON = 1e-5
"""Of jaxgen's batch norm, PyTorch's default."""


@dataclass(frozen=True)
class Weighted:
    """A layer with weights."""

    kind: Kind
    own: str
    """Its place in jaxgen's variables, `Dense_0.Dense_0`."""
    shape: tuple[int, ...]
    """Of jaxgen's kernel; of a batch norm (C,)."""
    channels_in: int = 1
    """Of the image that was flattened to give its input; 1 where none was."""
    channels_out: int = 1
    """Of the image that its output becomes; 1 where it becomes none."""
    biased: bool = True

    def torch_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of PyTorch's arrays by their names in the layer."""
        if self.kind == "batch norm":
            return dict.fromkeys(_OF_NORM.values(), self.shape)
        if self.kind == "dense":
            shape, width = self.shape[::-1], self.shape[1]
        else:
            height, across, inside, outside = self.shape
            first = (outside, inside) if self.kind == "convolution" else (inside, outside)
            shape, width = (*first, height, across), outside
        return {"weight": shape} | ({"bias": (width,)} if self.biased else {})

    def to_torch(self, params: Arrays, stats: Arrays) -> Arrays:
        """PyTorch's arrays by their names in the layer, from jaxgen's by their names in it."""
        if self.kind == "batch norm":
            both = params | stats
            return {new: self._channels_first(both[old]) for old, new in _OF_NORM.items()}
        kernel = params["kernel"]
        if self.kind == "dense":
            rows = channels_first(kernel, self.channels_in)
            made = {"weight": channels_first(rows.T, self.channels_out)}
        elif self.kind == "convolution":
            made = {"weight": kernel.transpose(3, 2, 0, 1)}
        else:
            made = {"weight": kernel[::-1, ::-1].transpose(2, 3, 0, 1)}
        if self.biased:
            made["bias"] = self._channels_first(params["bias"])
        return {name: np.ascontiguousarray(array) for name, array in made.items()}

    def from_torch(self, arrays: Arrays) -> tuple[Arrays, Arrays]:
        """The inverse of `to_torch`: parameters and statistics."""
        if self.kind == "batch norm":
            own = {name: self._channels_last(arrays[other]) for name, other in _OF_NORM.items()}
            stats = {name: own.pop(name) for name in _STATISTICS}
            return own, stats
        weight = arrays["weight"]
        if self.kind == "dense":
            columns = channels_last(weight, self.channels_out).T
            params = {"kernel": channels_last(columns, self.channels_in)}
        elif self.kind == "convolution":
            params = {"kernel": weight.transpose(2, 3, 1, 0)}
        else:
            params = {"kernel": weight.transpose(2, 3, 0, 1)[::-1, ::-1]}
        if self.biased:
            params["bias"] = self._channels_last(arrays["bias"])
        return {name: np.ascontiguousarray(array) for name, array in params.items()}, {}

    def _channels_first(self, array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(channels_first(array, self.channels_out))

    def _channels_last(self, array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(channels_last(array, self.channels_out))


@dataclass(frozen=True)
class Step:
    """One module of an `nn.Sequential`."""

    source: str
    """How it is made in Python, `nn.Linear(96, 1024)`."""
    weighted: Weighted | None = None


@dataclass(frozen=True)
class Sequential:
    """A network as PyTorch's `nn.Sequential`, whose modules are called by their places."""

    steps: tuple[Step, ...]

    @property
    def weighted(self) -> list[Weighted]:
        """The layers with weights, in order."""
        return [step.weighted for step in self.steps if step.weighted]

    def to_torch(self, params: Mapping[str, np.ndarray], stats: Mapping[str, np.ndarray]) -> Arrays:
        """The state dict, from jaxgen's variables by dotted names."""
        made = {}
        for place, step in enumerate(self.steps):
            if step.weighted:
                own = (_within(arrays, step.weighted.own) for arrays in (params, stats))
                arrays = step.weighted.to_torch(*own)
                made |= {f"{place}.{name}": array for name, array in arrays.items()}
        return made

    def from_torch(self, layers: Sequence[Arrays]) -> tuple[Arrays, Arrays]:
        """Parameters and statistics by dotted names, from the arrays of each layer with weights."""
        params, stats = {}, {}
        for layer, arrays in zip(self.weighted, layers, strict=True):
            for found, into in zip(layer.from_torch(arrays), (params, stats), strict=True):
                into |= {f"{layer.own}.{name}": array for name, array in found.items()}
        return params, stats


def channels_first(features: np.ndarray, channels: int) -> np.ndarray:
    """The first axis reordered from (H, W, C), flattened, to (C, H, W)."""
    split = features.reshape(-1, channels, *features.shape[1:])
    return split.swapaxes(0, 1).reshape(features.shape)


def channels_last(features: np.ndarray, channels: int) -> np.ndarray:
    """The inverse of `channels_first`."""
    split = features.reshape(channels, -1, *features.shape[1:])
    return split.swapaxes(0, 1).reshape(features.shape)


def refolded(layer: Arrays, epsilon: float) -> Arrays:
    """A batch norm's arrays for an epsilon of `EPSILON`: the running variance takes the rest up.

    Raises:
        JaxgenError: a variance would be negative.
    """
    variance = layer["running_var"].astype(np.float64) + (epsilon - EPSILON)
    if (variance < 0).any():
        raise JaxgenError(
            f"with an epsilon of {epsilon:g} a running variance would be below 0; is it right?"
        )
    return layer | {"running_var": variance.astype(np.float32)}


def kind_of(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What a module of a state dict is, by the shapes of its arrays."""
    if "running_mean" in shapes:
        return "batch norm"
    axes = len(shapes.get("weight", ()))
    return {2: "dense", 4: "convolution"}.get(axes, f"a module with {', '.join(shapes)}")


def modules(names: Iterable[str]) -> dict[str, list[str]]:
    """The arrays of each module of a state dict, by the module's name, in order."""
    found: dict[str, list[str]] = {}
    for name in names:
        module, _, leaf = name.rpartition(".")
        found.setdefault(module, []).append(leaf)
    return found


def _within(arrays: Mapping[str, np.ndarray], place: str) -> Arrays:
    prefix = f"{place}."
    return {
        name.removeprefix(prefix): np.asarray(array)
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


# Gates of an LSTM, stacked: i, f, o, g here, and i, f, g, o in PyTorch.
def gates_to_torch(array: np.ndarray, hidden: int) -> np.ndarray:
    """A recurrent kernel (I, G) or bias (G,) as PyTorch's (G, I) or (G,); RNNs have one gate."""
    parts = np.split(array, array.shape[-1] // hidden, axis=-1)
    ordered = [parts[0], parts[1], parts[3], parts[2]] if len(parts) == 4 else parts
    return np.ascontiguousarray(np.concatenate(ordered, axis=-1).T)


def gates_from_torch(array: np.ndarray, hidden: int) -> np.ndarray:
    """The inverse of `gates_to_torch`; to exchange the last two gates is its own inverse."""
    parts = np.split(array.T, array.shape[0] // hidden, axis=-1)
    ordered = [parts[0], parts[1], parts[3], parts[2]] if len(parts) == 4 else parts
    return np.ascontiguousarray(np.concatenate(ordered, axis=-1))
