"""What an encoder is: a configuration that builds a network from pictures to tokens.

It learns together with the captioner that looks at its tokens; the set of captions then holds the
pictures themselves. To add one, add a file here, or one of your own, with a Flax module and a
`PictureEncoder` that builds it.

N batch, H W C sides and channels of a picture, M tokens, D their width.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import flax.linen as nn

from jaxgen.settings import named, setting

PyTree = Any


@dataclass(frozen=True)
class Encoder:
    """What turns the features of a set into those that a captioner reads."""


@named("none")
@dataclass(frozen=True)
class NoEncoder(Encoder):
    """No encoder: the captioner reads the features that the set gives."""


@dataclass(frozen=True, kw_only=True)
class PictureEncoder(Encoder, ABC):
    """The numbers of an encoder of pictures, as flags; subclasses build the module."""

    rate: float = setting(1.0, least=0, most=1e6)
    """Its learning rate, as a multiple of the optimizer's; 0 leaves it as it begins."""
    frozen_steps: int = setting(0, least=0, most=2**31 - 1)
    """Steps before it begins to learn."""
    shift: int = setting(0, least=0, most=2**10)
    """In training, move each picture by up to so many pixels along both axes; the edge is
    repeated."""
    mirror: bool = False
    """In training, mirror half of the pictures. Refused where captions speak of left and right."""
    brightness: float = setting(0.0, least=0, below=1)
    """In training, multiply each picture by a factor of up to so much above or below 1."""

    @abstractmethod
    def module(self, picture_shape: tuple[int, ...]) -> nn.Module:
        """A module for pictures of one shape.

        Args:
            picture_shape: (H, W, C).

        Returns:
            A module `(pictures_NHWC, train) -> tokens_NMD`: uint8 pictures, or float ones in
            [0, 255], to floats, a square grid in reading order where an attention picture is to
            show them in place; `at_corners`, an attribute of the module, is True where a token sees
            what is around the upper left corner of its cell. With `train` it may draw from the
            "dropout" random stream. All that it has are parameters: `FrozenStatistics` makes them
            of batch norm's statistics.

        Raises:
            JaxgenError: it cannot see pictures of that shape.
        """

    def weights_to_begin_with(self) -> PyTree | None:
        """Parameters that are not drawn but known, NumPy arrays by the names of the module's; the
        rest is drawn. None, here: all are.

        Raises:
            JaxgenError: they cannot be read.
        """
        return None
