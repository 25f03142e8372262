"""Which encoder made features, as sets of features and runs record it."""

from dataclasses import dataclass
from typing import Literal

from jaxgen.nn.precision import Precision
from jaxgen.settings import setting

Crop = Literal["centre", "whole"]
EncoderOrNone = Literal["", "lite0", "vgg16", "resnet50", "resnet101"]

VERSION = 1
"""Raise it when the same photograph gets other features than before."""


@dataclass(frozen=True)
class EncoderIdentity:
    """An encoder, and how photographs were prepared for it: enough to compute more features."""

    name: EncoderOrNone = ""
    """"" where features are not an encoder's of jaxgen's."""
    sha256: str = ""
    """Of its file of weights."""
    size: int = setting(0, least=0)
    """Side of the squares that it saw."""
    crop: Crop = "centre"
    """What of a photograph it saw: the centre of it, or all of it squeezed into a square."""
    precision: Precision = "float32"
    """What it computed in."""
    version: int = setting(VERSION, least=1)
    """Of the way from a photograph to its features."""
