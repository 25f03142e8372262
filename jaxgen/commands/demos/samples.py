"""What a page shows of a model that draws images: settings in, HTML out.

N images, K classes, H height, W width, C channels, F frames of a walk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgen import settings
from jaxgen.commands.demos import markup
from jaxgen.display import plots
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting
from jaxgen.training.task import CanSample

MOST_IMAGES = 100
_MOST_PIXELS = 2**22  # of a grid, and of a row of a walk
_MOST_MOVING = 2**25  # pixels of all frames
_MOST_CLASSES = 10  # side by side in a walk
_IN_STRIP = 10  # frames
NOT_TRUNCATED = 4.0
"""The end of the slider for noise without a largest number; one in 16,000 is above it."""


@dataclass(frozen=True)
class Drawing:
    """Which images are drawn."""

    seed: int = setting(0, least=0, most=2**32 - 1)
    """Of the noise."""
    label: int | None = setting(None, least=0)
    """The class of all of them; None for all classes in turn."""
    truncation: float | None = setting(None, above=0, most=1e6)
    """The largest number in the noise; None for no limit."""
    n: int = setting(64, least=1, most=MOST_IMAGES)
    """How many."""


@dataclass(frozen=True)
class Walking:
    """How far a walk goes."""

    stops: int = setting(4, least=2, most=12)
    """Random inputs that it goes through."""
    steps: int = setting(12, least=1, most=48)
    """Images from one to the next."""


class SamplePlayer:
    """A model that draws images, and what a page can ask it for."""

    def __init__(self, model: CanSample) -> None:
        """Draw one image, so that what cannot be drawn is refused before there is a page.

        Raises:
            JaxgenError: an image is too large for a page.
        """
        self._model: Any = model
        self.classes: int = getattr(model, "classes", 0)
        """K; 0 where none can be asked for."""
        self.can_walk = hasattr(model, "walk")
        """Whether it goes from one random input to another."""
        most: float | None = getattr(model, "most_truncation", None)
        self.widest = None if most is None else min(most, NOT_TRUNCATED)
        """The end of a slider of truncation, where nothing is cut; None where there is no
        truncation."""
        height, width = self._sample(0, 1, np.zeros(1, int) if self.classes else None).shape[1:3]
        self.most_images = min(MOST_IMAGES, _MOST_PIXELS // (height * width))
        """That one grid shows."""
        if not self.most_images:
            raise JaxgenError(f"images of {width} x {height} pixels are too large for the page")

    def truncation(self, at: float | None) -> float | None:
        """The truncation of a slider's place: none at its end."""
        return None if self.widest is None or at is None or at >= self.widest else at

    def samples(self, drawing: Drawing) -> str:
        """A grid of images, and a link that saves it.

        Raises:
            JaxgenError: the settings make no sense.
        """
        settings.check(drawing)
        n = min(drawing.n, self.most_images)
        labels = self._labels(drawing.label, n)
        images_NHWC = self._sample(drawing.seed, n, labels, drawing.truncation)
        grid = plots.grid(images_NHWC, columns=10 if self.classes and n >= 10 else 0)
        told = f"{n} samples of seed {drawing.seed}{_of_classes(labels)}"
        return markup.answer(markup.picture(grid, told, save_as=f"seed-{drawing.seed}.png"))

    def walk(self, drawing: Drawing, walking: Walking) -> str:
        """An animation of a way through random inputs and back, and a strip of its images.

        The images of several classes go the same way side by side.

        Raises:
            JaxgenError: the settings make no sense, or ask for too much.
        """
        settings.check(drawing)
        settings.check(walking)
        if not self.can_walk:
            raise JaxgenError("this kind of model has no walks")
        labels = None
        if self.classes:
            of_all = np.arange(min(self.classes, _MOST_CLASSES))
            labels = of_all if drawing.label is None else np.array([drawing.label])
        count, pixels = walking.stops * walking.steps, _MOST_PIXELS // self.most_images
        side_by_side = 1 if labels is None else len(labels)
        most = max(1, _MOST_MOVING // (pixels * side_by_side))
        if count > most:
            raise JaxgenError(
                f"{count} frames of so many pixels are too many: give fewer stops or steps, at "
                f"most {most} frames, or one class"
            )
        options = {} if drawing.truncation is None else {"truncation": drawing.truncation}
        frame_FKHWC = self._model.walk(
            drawing.seed, walking.stops, walking.steps, labels, **options
        )
        columns = 5 if side_by_side > 3 else side_by_side
        frames = [plots.grid(frame_KHWC, columns=columns) for frame_KHWC in frame_FKHWC]
        told = f"walk through {walking.stops} inputs of seed {drawing.seed}{_of_classes(labels)}"
        strip_NHWC, in_row = _strip(frame_FKHWC, walking)
        strip = plots.grid(strip_NHWC, columns=in_row)
        name = f"walk-{drawing.seed}"
        return markup.answer(
            markup.animation(frames, f"an animated {told}", f"{name}.gif"),
            markup.picture(strip, f"images of the {told}", save_as=f"{name}.png"),
        )

    def _labels(self, label: int | None, n: int) -> np.ndarray | None:
        if not self.classes:
            return None
        if label is None:
            return np.sort(np.resize(np.arange(self.classes), n))
        return np.full(n, label)

    def _sample(
        self, seed: int, n: int, labels: np.ndarray | None, truncation: float | None = None
    ) -> np.ndarray:
        options = {} if truncation is None else {"truncation": truncation}
        return self._model.sample(seed=seed, n=n, labels=labels, **options)


def _strip(frame_FKHWC: np.ndarray, walking: Walking) -> tuple[np.ndarray, int]:
    """Images of a walk for a grid, and how many in a row: a row a class, or one a stop."""
    if frame_FKHWC.shape[1] == 1:
        in_row = min(walking.steps, _IN_STRIP)
        chosen = np.linspace(0, walking.steps - 1, in_row).astype(int)
        of_stop = frame_FKHWC[:, 0].reshape(walking.stops, walking.steps, *frame_FKHWC.shape[2:])
        return of_stop[:, chosen].reshape(-1, *frame_FKHWC.shape[2:]), in_row
    in_row = min(len(frame_FKHWC), _IN_STRIP)
    chosen = np.linspace(0, len(frame_FKHWC) - 1, in_row).astype(int)
    return frame_FKHWC[chosen].swapaxes(0, 1).reshape(-1, *frame_FKHWC.shape[2:]), in_row


def _of_classes(labels: Sequence[int] | np.ndarray | None) -> str:
    if labels is None:
        return ""
    first, last = int(np.min(labels)), int(np.max(labels))
    return f", class {first}" if first == last else f", classes {first} to {last}"
