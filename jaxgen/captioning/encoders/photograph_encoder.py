"""Encoders of photographs that go on learning with the captioner that reads them.

N batch, H W C sides and channels of a picture, G side of the grid, D width of a region.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax

from jaxgen.captioning.encoders.base import PictureEncoder
from jaxgen.captioning.encoders.seeing import FrozenStatistics
from jaxgen.data.photographs import weights
from jaxgen.errors import JaxgenError
from jaxgen.nn.encoders.known import ENCODERS
from jaxgen.settings import flag, named

Array = jax.Array
PyTree = Any


class _Regions(NamedTuple):
    """What an encoder sees in the regions of pictures, as `FrozenStatistics` asks for it."""

    name: str

    def init(self, key: Array, pictures_NHWC: Array) -> PyTree:
        """Its variables, drawn."""
        encoder = ENCODERS[self.name]
        return encoder.module.init(key, pictures_NHWC.astype("float32"))

    def apply(self, variables: PyTree, pictures_NHWC: Array) -> Array:
        """Float32 (N, G, G, D) of pictures of 0 to 255."""
        return ENCODERS[self.name].encoded(variables, pictures_NHWC).grid_NHWC


@named("photographs")
@dataclass(frozen=True)
class PhotographEncoder(PictureEncoder):
    """EfficientNet-Lite0, VGG-16 or a ResNet as `jaxgen features` has them, to be fine-tuned.

    Batch norm keeps the statistics of the photographs that the network was trained on.
    """

    network: Literal["lite0", "vgg16", "resnet50", "resnet101"] = "lite0"
    """Which."""
    weights: str = ""
    """Its file of weights, as for `jaxgen features`; by default that of a package, where there is
    one."""

    def module(self, picture_shape: tuple[int, ...]) -> nn.Module:
        height, width, channels = picture_shape
        least = ENCODERS[self.network].least
        if channels != 3 or min(height, width) < least:
            raise JaxgenError(
                f"{flag('encoder.network')} {self.network} sees pictures in colour of {least} "
                f"pixels a side or more, not of {height}x{width} with {channels} channels"
            )
        return FrozenStatistics(_Regions(self.network))

    def weights_to_begin_with(self) -> PyTree | None:
        file = Path(self.weights) if self.weights else None
        return {"variables": weights.load(ENCODERS[self.network], file).variables}
