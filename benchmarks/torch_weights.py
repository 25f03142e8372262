"""Copies the weights of jaxgen's GAN networks into their PyTorch twins.

H height, W width, C channels, I O input and output channels.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from flax import traverse_util
from torch import nn

PyTree = Any

_FLAX_NAMES = {
    nn.Linear: "Dense",
    nn.Conv2d: "Conv",
    nn.ConvTranspose2d: "ConvTranspose",
    nn.BatchNorm1d: "BatchNorm",
    nn.BatchNorm2d: "BatchNorm",
}


@torch.no_grad()
def copy_weights(network: nn.Sequential, params: PyTree, stats: PyTree) -> None:
    """Sets a network to the values of the jaxgen network that it is the twin of.

    Axes: dense (I, O) to (O, I); convolution (H, W, I, O) to (O, I, H, W); transposed convolution
    to (I, O, H, W) with the kernel turned by 180 degrees (`jaxgen.nn.ops.conv_transpose`). jaxgen
    flattens an image as (H, W, C) and PyTorch as (C, H, W): what stands before an `Unflatten` or
    after a `Flatten` has its features reordered.

    Args:
        network: changed in place.
        params: of the jaxgen network, its layers named as Flax numbers them.
        stats: its collection "batch_stats", {} without batch norm.
    """
    counts: Counter[str] = Counter()
    layers = list(network)
    for index, layer in enumerate(layers):
        kind = _FLAX_NAMES.get(type(layer))
        if kind is None:
            continue
        name = f"{kind}_{counts[kind]}"
        counts[kind] += 1
        values = _named_leaves(params[name]) | _named_leaves(stats.get(name, {}))
        channels_in = _flattened_channels(layers[:index])
        channels_out = _unflattened_channels(layers[index + 1 :])
        if kind == "BatchNorm":
            values = {k: _channels_first(value, channels_out) for k, value in values.items()}
            new = {
                "weight": values["scale"],
                "bias": values["bias"],
                "running_mean": values["mean"],
                "running_var": values["var"],
            }
        elif kind == "Dense":
            rows = _channels_first(values["kernel"], channels_in)
            new = {"weight": _channels_first(rows.T, channels_out)}
            if "bias" in values:
                new["bias"] = _channels_first(values["bias"], channels_out)
        elif kind == "Conv":
            new = {"weight": values["kernel"].transpose(3, 2, 0, 1), "bias": values["bias"]}
        else:
            turned = values["kernel"][::-1, ::-1]
            new = {"weight": turned.transpose(2, 3, 0, 1), "bias": values["bias"]}
        for key, value in new.items():
            getattr(layer, key).copy_(torch.from_numpy(np.ascontiguousarray(value)))


def _named_leaves(layer: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A layer's arrays by their own names: jaxgen's layers wrap Flax's."""
    leaves = traverse_util.flatten_dict(layer)
    return {path[-1]: np.array(leaf) for path, leaf in leaves.items()}


def _channels_first(features: np.ndarray, channels: int) -> np.ndarray:
    """Reorders the first axis from (H, W, C), flattened, to (C, H, W)."""
    split = features.reshape(-1, channels, *features.shape[1:])
    return split.swapaxes(0, 1).reshape(features.shape)


def _flattened_channels(before: list[nn.Module]) -> int:
    """Channels of the feature map that the last of these layers flattens, 1 if there is none."""
    if not before or not isinstance(before[-1], nn.Flatten):
        return 1
    return next((x.out_channels for x in reversed(before) if isinstance(x, nn.Conv2d)), 1)


def _unflattened_channels(after: list[nn.Module]) -> int:
    """Channels that an `Unflatten` makes before any other layer with a matrix, 1 if none does."""
    for layer in after:
        if isinstance(layer, nn.Unflatten):
            return layer.unflattened_size[0]
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            break
    return 1
