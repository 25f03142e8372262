"""Copies the weights of jaxgen's GAN networks into their PyTorch twins, as jaxgen converts them."""

from typing import Any

import torch
from flax import traverse_util
from torch import nn

from jaxgen.nn.torch_layout import Sequential

PyTree = Any


def copy_weights(network: nn.Sequential, layout: Sequential, params: PyTree, stats: PyTree) -> None:
    """Sets a network to the values of the jaxgen network that it is the twin of.

    Args:
        network: changed in place.
        layout: of `jaxgen.gan.torch_networks`, with the same modules in the same places.
        params: of the jaxgen network.
        stats: its collection "batch_stats", {} without batch norm.
    """
    flat = (traverse_util.flatten_dict(tree, sep=".") for tree in (params, stats))
    arrays = {
        name: torch.from_numpy(array.copy()) for name, array in layout.to_torch(*flat).items()
    }
    missing = network.load_state_dict(arrays, strict=False)
    if missing.unexpected_keys or any("num_batches" not in key for key in missing.missing_keys):
        raise ValueError(f"the twin has other modules than jaxgen's network: {missing}")
