"""Which encoder made features, as sets of features and runs record it."""

from dataclasses import dataclass
from typing import Any, Literal

from jaxgen import settings
from jaxgen.settings import named, setting

Crop = Literal["centre", "whole"]
EncoderOrNone = Literal["", "lite0", "vgg16", "resnet50", "resnet101"]

VERSION = 1
"""Raise it when the same photograph gets other features than before."""


@named("photograph_encoder")
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
    precision: Literal["float32", "bfloat16"] = "float32"
    """What it computed in."""
    version: int = setting(VERSION, least=1)
    """Of the way from a photograph to its features."""

    @classmethod
    def of_json(cls, value: Any) -> "EncoderIdentity":
        """The inverse of `dataclasses.asdict`.

        Raises:
            ValueError, TypeError: it is something else.
        """
        identity = cls(**value)
        settings.check(identity)
        return identity
