"""Samples of a generator beside the training images that are nearest to them.

N samples, T training images, V held-out ones, R real images that are measured like samples, K
neighbours, P parts of the training images, F features, M images that are looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jaxgen.data.images.base import to_model_range
from jaxgen.data.images.stored import StoredImages
from jaxgen.display import progress
from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.nearest import Closeness, Nearest, Rows, closeness, nearest
from jaxgen.settings.memory import refuse_too_much

LEAST_HELD_OUT = 100
"""Fewer of them say nothing."""
_MOST_REAL = 2000  # real images that are measured like samples
_MOST_PARTS = 20
_BLOCK = 500  # images that are looked at between two signs of progress


@dataclass(frozen=True)
class Neighbours:
    """The nearest training images of samples, in one measure."""

    found: Nearest
    """Of each sample."""
    closeness: Closeness
    """What the distances say of copying."""


@dataclass(frozen=True)
class Copying:
    """Samples, and how near they are to training images."""

    samples: np.ndarray
    """float32 (N, H, W, C) in [-1, 1]."""
    labels: np.ndarray | None
    """Their classes, int (N,), of a conditional model."""
    training: int
    """T."""
    held_out: int
    """V, how many were compared; 0 where there are none, or too few."""
    measures: dict[str, Neighbours]
    """By "pixels" and, where a network knows the images, "features"."""
    read: Callable[[np.ndarray], np.ndarray]
    """Places of training images, integers of any shape, to these images in [-1, 1]."""


def copying(
    samples: np.ndarray,
    labels: np.ndarray | None,
    whole: StoredImages,
    train: int,
    features: Callable[[np.ndarray], np.ndarray] | None,
    neighbours: int,
) -> Copying:
    """Compare samples with the images that a model was trained on, and with those held out.

    Args:
        samples: float32 (N, H, W, C) in [-1, 1].
        labels: their classes.
        whole: the set of images.
        train: T, how many of its first images were trained on; the others were held out.
        features: float32 (M, H, W, C) in [-1, 1] to the features that are compared beside the
            pixels, float32 (M, F); None for pixels alone.
        neighbours: K.

    Raises:
        JaxgenError: there are too few images, or some of another shape.
    """
    train = min(train, len(whole))
    if train <= neighbours:
        raise JaxgenError(f"{train} training images are too few for {neighbours} neighbours of one")
    if samples.shape[1:] != whole.shape:
        raise JaxgenError(
            f"samples are of the shape {samples.shape[1:]} and the data of {whole.shape}: give "
            "the data that the model was trained on"
        )
    # Not more than the training images, of which as many are to be compared.
    held_out = _spread(np.arange(train, len(whole)), min(train, _MOST_REAL))
    if len(held_out) < LEAST_HELD_OUT:
        held_out = held_out[:0]
    # Where nothing was held out, training images stand in, each without itself: it is as near to
    # the others as a new one is.
    real = held_out if len(held_out) else _spread(np.arange(train), _MOST_REAL)
    parts = min(_MOST_PARTS, train // len(held_out)) if len(held_out) else 0

    def read(place: np.ndarray) -> np.ndarray:
        return to_model_range(whole.gather(np.asarray(place)))

    def pixels(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1) / 2  # so that differences are from 0 to 1

    of_images: dict[str, tuple[np.ndarray, Rows]] = {
        "pixels": (pixels(samples), lambda place: pixels(read(place)))
    }
    if features is not None:
        samples_NF = features(samples)
        looked_at = np.concatenate([np.arange(train), held_out])
        kept = _kept(features, read, looked_at, samples_NF.shape[1])
        of_images["features"] = samples_NF, kept
    measures = {}
    for name, (samples_ND, rows) in of_images.items():
        real_RD = rows(real)
        itself = np.full(len(real), -1) if len(held_out) else real
        found = nearest(
            np.concatenate([samples_ND, real_RD]),
            rows,
            train,
            neighbours,
            (parts, len(held_out)),
            np.concatenate([np.full(len(samples), -1), itself]),
        )
        of_samples = found.rows(slice(len(samples)))
        apart_N = None
        if len(held_out):
            beside = nearest(samples_ND, real_RD.__getitem__, len(held_out), 1)
            apart_N = beside.distance_NK[:, 0]
        of_real = found.rows(slice(len(samples), None))
        measures[name] = Neighbours(of_samples, closeness(of_samples, of_real, apart_N))
    return Copying(samples, labels, train, len(held_out), measures, read)


def _kept(
    features: Callable[[np.ndarray], np.ndarray],
    read: Callable[[np.ndarray], np.ndarray],
    place_M: np.ndarray,
    width: int,
) -> Rows:
    """The features of images, each looked at once however often its place is asked for.

    Args:
        features: of images.
        read: images of places.
        place_M: the places that may be asked for, in rising order.
        width: F.
    """
    count = len(place_M)
    refuse_too_much(4 * count * width, f"the features of {count} images", "compare pixels")
    kept_MF = np.empty((count, width), np.float32)
    with progress.bar(total=count, desc="looking", unit="image", delay=1) as done:
        for start in range(0, count, _BLOCK):
            found = features(read(place_M[start : start + _BLOCK]))
            kept_MF[start : start + len(found)] = found
            done.update(len(found))
    return lambda place: kept_MF[np.searchsorted(place_M, place)]


def _spread(place: np.ndarray, most: int) -> np.ndarray:
    """At most so many of these places, evenly spaced."""
    if len(place) <= most:
        return place
    return place[np.linspace(0, len(place) - 1, most).astype(int)]


def table(copying: Copying) -> str:
    """What `Closeness` says, in lines."""
    shown = [neighbours.closeness for neighbours in copying.measures.values()]
    others = f"{copying.held_out} held-out ones" if copying.held_out else "none held out"
    real = "held-out image" if copying.held_out else "training image, to another one"

    def line(words: str, cells: list[str], remark: str = "") -> str:
        return f"{words:46}{''.join(f'{cell:>12}' for cell in cells)}  {remark}".rstrip()

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.1%}"

    lines = [
        f"{len(copying.samples)} samples, {copying.training} training images, {others}; distance "
        "to the nearest training image",
        "",
        line("", list(copying.measures)),
        line("median of a sample", [f"{one.samples:.4f}" for one in shown]),
        line(f"median of a {real}", [f"{one.real:.4f}" for one in shown]),
        line("ratio", [f"{one.ratio:.3f}" for one in shown], "1: as new as real images are"),
        line(
            "samples nearer than 99 % of real images",
            [share(one.copies) for one in shown],
            "1 % by chance",
        ),
    ]
    if not copying.held_out:
        return "\n".join(
            [*lines, "", "no images were held out of training, which --data.train does"]
        )
    return "\n".join(
        [
            *lines,
            line(
                "samples nearer to training than to held out",
                [share(one.nearer) for one in shown],
                "of as many; 50 % where nothing is copied",
            ),
            line(
                "the same between parts of the training images",
                ["-" if one.chance is None else _range(one.chance) for one in shown],
                "what chance does",
            ),
        ]
    )


def _range(chance: tuple[float, float]) -> str:
    return f"{100 * chance[0]:.0f} to {100 * chance[1]:.0f} %"
