"""How a picture is looked for in a generator's input: the numbers, which need no JAX."""

from dataclasses import dataclass
from typing import Literal

from jaxgen.settings import setting

Features = Literal["auto", "digits", "fashion", "none"]
"""Names of the classifiers whose features are compared; auto is the one that knows the data."""
NeighbourFeatures = Literal[Features, "lite0"]
"""The same, and a network that knows photographs, EfficientNet-Lite0."""


@dataclass(frozen=True)
class Search:
    """How a picture is looked for in a generator's input."""

    restarts: int = setting(8, least=1, most=256)
    """Inputs that are improved for each picture, of which the best is kept; they begin as those of
    about a thousand random samples that are nearest to it."""
    steps: int = setting(300, least=1, most=100_000)
    """Steps of Adam."""
    learning_rate: float = setting(0.15, above=0, most=10)
    """Of the first step, in standard deviations of the noise; it falls to 0 along a cosine."""
    feature_weight: float = setting(0.02, least=0, most=1e6)
    """Of the squared difference of features beside that of pixels, both as means."""
