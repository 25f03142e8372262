"""Which network sees the images of a model: a classifier of jaxgen's, or one for photographs.

N images, H height, W width, C channels, F features.
"""

from collections.abc import Callable

import numpy as np

from jaxgen.data.images.base import to_model_range
from jaxgen.data.images.stored import StoredImages
from jaxgen.errors import JaxgenError
from jaxgen.gan.latents.search import Features, NeighbourFeatures
from jaxgen.metrics.samples import classifier, networks
from jaxgen.metrics.samples.classifier import Classifier
from jaxgen.settings import flag, shortened
from jaxgen.settings.notes import note

KNOWN_SHAPE = (28, 28, 1)


def for_neighbours(
    features: NeighbourFeatures, shape: tuple[int, ...], real: Callable[[], StoredImages]
) -> Callable[[np.ndarray], np.ndarray] | None:
    """What gives the features that samples and training images are compared in.

    Args:
        features: as for `chosen`, or lite0.
        shape: as for `chosen`.
        real: as for `chosen`.

    Returns:
        float32 (N, H, W, C) in [-1, 1] -> float32 (N, F); None for pixels alone.

    Raises:
        JaxgenError: as `chosen`, or the package with the weights of lite0 is not here.
    """
    if features == "lite0":
        return networks.opened("lite0").features
    known = chosen(features, shape, real, f"; {flag('features')} lite0 is for photographs")
    return None if known is None else lambda images: known.features_and_logits(images)[0]


def chosen(
    features: Features,
    shape: tuple[int, ...],
    real: Callable[[], StoredImages],
    otherwise: str = "",
) -> Classifier | None:
    """The classifier whose features images are compared in.

    Args:
        features: its name. For auto a note says why where there is none.
        shape: (H, W, C) of the images.
        real: opens the images that the model was trained on; called for auto only.
        otherwise: what the note proposes where no classifier knows images of this shape.

    Returns:
        None where they are to be compared in pixels alone.

    Raises:
        JaxgenError: the one that is named does not see images of this shape.
    """
    if features == "none":
        return None
    if shape != KNOWN_SHAPE:
        height, width, channels = shape
        why = f"images of {height}x{width} pixels and {channels} channels have no classifier"
        if features != "auto":
            raise JaxgenError(f"{why}, {features} sees 28x28 grey ones: give features none")
        note(f"{why}: pixels alone are compared{otherwise}")
        return None
    if features != "auto":
        return classifier.load(features)
    try:
        images = real()
        place_N = np.linspace(0, len(images) - 1, min(len(images), classifier.BATCH)).astype(int)
        looked_at = to_model_range(images.gather(place_N))
        return classifier.for_data(looked_at, images.label_N[place_N])
    except JaxgenError as error:
        note(f"pixels alone are compared: {shortened(str(error), 300)}")
        return None
