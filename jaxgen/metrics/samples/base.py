"""What a metric of samples is, and what it is given.

A metric of your own is a variable in any file that is imported:

    sharpness = SampleMetric("sharpness", "sharpness", "closer to 1", measure_sharpness)

Legend: N images, H height, W width, C channels, F features, K classes, M real and N fake where two
sets meet.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.metrics.base import Metric

T = TypeVar("T")


class Looking(Protocol):
    """A classifier, as reports see it."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def features_and_logits(self, images: Any, /) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, F) and logits (N, K) of images (N, H, W, C) in [-1, 1], float32."""
        ...


@dataclass(frozen=True, eq=False)
class Measured:
    """Images with what the classifier says of them; nothing in it is to be changed."""

    images: np.ndarray
    """(N, H, W, C), or (N, H, W), floats in [-1, 1]; None where they are too many to be held."""

    features: np.ndarray
    """(N, F) floats."""

    logits: np.ndarray
    """(N, K) floats."""

    labels: np.ndarray | None = None
    """(N,) the classes, true ones or those asked for; None where there are none."""

    seed: int = 0
    """Of what a metric draws."""

    def rows(self, rows: np.ndarray) -> "Measured":
        """Some of the images, by their indices."""
        labels = None if self.labels is None else self.labels[rows]
        images: Any = None if self.images is None else self.images[rows]
        return Measured(images, self.features[rows], self.logits[rows], labels, self.seed)


@dataclass(frozen=True)
class SampleMetric(Metric):
    """A figure of a set of samples beside a set of real images."""

    home: ClassVar[str] = "jaxgen.metrics.samples"
    taken: ClassVar[frozenset[str]] = frozenset({"images", "classes", "classifier"})

    better: Literal["lower", "higher", "closer to the floor", "closer to 1"]
    """Which figures are better; the floor is what other real images get."""

    measure: Callable[[Measured, Measured], float | None]
    """(real, fake) -> the figure; None where it has none, as without labels."""

    scale: float = field(default=1, kw_only=True)
    """The table shows the figure times this."""

    of_samples_alone: bool = field(default=False, kw_only=True)
    """Whether `measure` looks at the samples only; where real images are too many to be compared
    with as a run trains, it then gets the samples as both."""

    of_pixels: bool = field(default=False, kw_only=True)
    """Whether it reads pixels alone, so that it is the same whatever network measures."""

    alarm_below: float | None = field(default=None, kw_only=True)
    """Under this value, a run says `alarm`: once the figure was half as much again, or after its
    first log lines (`jaxgen.gan.quality.PATIENCE`)."""

    alarm: str = field(default="", kw_only=True)
    """A sentence without a full stop: what is wrong with the samples."""

    def __post_init__(self) -> None:
        if (self.alarm_below is None) == bool(self.alarm):
            raise JaxgenError(
                f"the metric {self.key!r} must have both `alarm_below` and `alarm`, or neither"
            )


def once_a_pair(measure: Callable[[Measured, Measured], T]) -> Callable[[Measured, Measured], T]:
    """Computes only once what several metrics need; kept for as long as both sets exist."""
    kept: WeakKeyDictionary[Measured, WeakKeyDictionary[Measured, T]] = WeakKeyDictionary()

    @functools.wraps(measure)
    def measure_once(real: Measured, fake: Measured) -> T:
        of_real = kept.setdefault(real, WeakKeyDictionary())
        if fake not in of_real:
            of_real[fake] = measure(real, fake)
        return of_real[fake]

    return measure_once


def checked_features(real: Any, fake: Any, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of features that can be compared, as float64; otherwise as `checked_rows`."""
    real_MF, fake_NF = checked_rows(real, fake, least)
    return real_MF.astype(np.float64), fake_NF.astype(np.float64)


def checked_rows(real: Any, fake: Any, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of features that can be compared.

    Args:
        real: (M, F) numbers.
        fake: (N, F) numbers.
        least: rows that each must have.

    Returns:
        Both as arrays, of the types that they have.

    Raises:
        JaxgenError: fewer rows, widths that differ, values that are not finite.
    """
    sets = {"real": np.asarray(real), "generated": np.asarray(fake)}
    for name, x in sets.items():
        if x.ndim != 2:
            raise JaxgenError(f"{name} features have shape {x.shape}: expected (images, features)")
        if len(x) < least:
            raise JaxgenError(f"{len(x)} {name} images are too few: give at least {least}")
        if not np.isfinite(x).all():
            row = int(np.flatnonzero(~np.isfinite(x).all(1))[0])
            raise JaxgenError(f"{name} features of image {row} are not finite: the model diverged")
    real_MF, fake_NF = sets.values()
    if real_MF.shape[1] != fake_NF.shape[1]:
        raise JaxgenError(
            f"real features are {real_MF.shape[1]} wide and generated ones {fake_NF.shape[1]}: "
            "use one classifier for both"
        )
    return real_MF, fake_NF
