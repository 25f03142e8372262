"""A generator from the arrays of a PyTorch state dict: modules by their order, widths by shapes."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.gan import torch_networks
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.dcgan import DCGAN
from jaxgen.gan.networks.mlp import MLP
from jaxgen.gan.trained import TrainedGan
from jaxgen.nn.torch_layout import EPSILON, Arrays, kind_of, modules, refolded
from jaxgen.settings import shortened
from jaxgen.training import configs
from jaxgen.training.exporting.exportable import nested
from jaxgen.training.task import Saved

CLASSES = 10  # of the notebooks' digits and clothes


def imported(config: GanConfig, arrays: Arrays, epsilon: float) -> TrainedGan:
    """A trained generator.

    Args:
        config: of the experiment; widths are taken from the arrays.
        arrays: of a generator's state dict, float32, by their names in the file.
        epsilon: of its batch norms.

    Raises:
        JaxgenError: they are not those of such a generator.
    """
    layers = _layers(arrays)
    classes = CLASSES if config.conditional else 0
    config, shape = _with_widths(config, layers, classes)
    layout = torch_networks.generator(config.networks, shape, config.noise_size + classes)
    for number, (expected, found) in enumerate(zip(layout.weighted, layers, strict=True)):
        shapes = {name: array.shape for name, array in found.items()}
        if shapes != expected.torch_shapes():
            raise JaxgenError(
                f"layer {number} with weights should be a {expected.kind} with "
                f"{_told(expected.torch_shapes())}, and the file has {_told(shapes)}"
            )
    if epsilon != EPSILON:
        layers = [
            refolded(x, epsilon) if kind_of(_shapes(x)) == "batch norm" else x for x in layers
        ]
    params, stats = layout.from_torch(layers)
    about = AboutImages(image_shape=shape, classes=CLASSES, examples=1)
    generator = {"params": nested(params)} | ({"stats": nested(stats)} if stats else {})
    return config.restored(Saved({"generator": generator}, configs.to_json(about, AboutImages)))


def _layers(arrays: Arrays) -> list[Arrays]:
    """The arrays of each module with weights, in the order of the file.

    Files of safetensors sort names as text: modules that numbers name are put into their order.
    """
    found = modules(arrays)
    names = list(found)
    parents, _, last = zip(*(name.rpartition(".") for name in names), strict=True)
    if len(set(parents)) == 1 and all(name.isdecimal() for name in last):
        names.sort(key=lambda name: int(name.rpartition(".")[2]))
    return [
        {leaf: arrays[f"{name}.{leaf}" if name else leaf] for leaf in found[name]} for name in names
    ]


def _with_widths(
    config: GanConfig, layers: Sequence[Arrays], classes: int
) -> tuple[GanConfig, tuple[int, int, int]]:
    """The configuration with the widths that the layers have, and the shape of an image."""
    kinds = [kind_of(_shapes(layer)) for layer in layers]
    networks = config.networks
    if isinstance(networks, MLP):
        expected = ["dense"] * (len(networks.generator_hidden) + 1)
        for index in sorted(networks.generator_normalized, reverse=True):
            expected.insert(index + 1, "batch norm")
    elif isinstance(networks, DCGAN):
        expected = ["dense", "batch norm"] * 2 + ["convolution", "batch norm"]
        expected += ["convolution"] + ["batch norm", "convolution"] * max(0, (len(kinds) - 7) // 2)
    else:
        raise JaxgenError(f"no PyTorch weights are read for {networks}")
    if kinds != expected:
        raise JaxgenError(
            f"the file has the modules {', '.join(kinds) or 'of nothing'}, and this generator has "
            f"{', '.join(expected)}; give another --as, or the state dict of a generator"
        )
    noise_size = layers[0]["weight"].shape[1] - classes
    if noise_size < 1:
        raise JaxgenError(
            f"the generator reads {noise_size + classes} numbers, too few for noise and "
            f"{classes} classes; is it one that sees labels?"
        )
    config = dataclasses.replace(config, noise_size=noise_size)
    if isinstance(networks, MLP):
        dense = [x["weight"] for x, kind in zip(layers, kinds, strict=True) if kind == "dense"]
        hidden = tuple(weight.shape[0] for weight in dense[:-1])
        new = dataclasses.replace(networks, generator_hidden=hidden)
        side, colours = math.isqrt(dense[-1].shape[0]), 1
        if side**2 != dense[-1].shape[0]:
            raise JaxgenError(
                f"the generator makes {dense[-1].shape[0]} numbers, which are no square grey image"
            )
    else:
        convolutions = [
            x["weight"] for x, kind in zip(layers, kinds, strict=True) if kind == "convolution"
        ]
        quarter, half = convolutions[0].shape[0], convolutions[-1].shape[0]
        pixels = layers[2]["weight"].shape[0] // quarter
        side, colours = math.isqrt(pixels) << len(convolutions), convolutions[-1].shape[1]
        hidden = layers[0]["weight"].shape[0]
        new = dataclasses.replace(networks, hidden=hidden, generator_channels=(quarter, half))
    return dataclasses.replace(config, networks=new), (side, side, colours)


def _shapes(layer: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in layer.items()}


def _told(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return shortened(", ".join(f"{name} {shape}" for name, shape in shapes.items()), 200)
