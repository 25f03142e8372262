"""Which classifier sees the images of a model, where one that comes with jaxgen knows them."""

from collections.abc import Callable

import numpy as np

from jaxgen.data.images.base import to_model_range
from jaxgen.data.images.stored import StoredImages
from jaxgen.errors import JaxgenError
from jaxgen.gan.latents.search import Features
from jaxgen.metrics.samples import classifier
from jaxgen.metrics.samples.classifier import Classifier
from jaxgen.settings import shortened
from jaxgen.settings.notes import note

KNOWN_SHAPE = (28, 28, 1)


def chosen(
    features: Features, shape: tuple[int, ...], real: Callable[[], StoredImages]
) -> Classifier | None:
    """The classifier whose features images are compared in.

    Args:
        features: its name. For auto a note says why where there is none.
        shape: (H, W, C) of the images.
        real: opens the images that the model was trained on; called for auto only.

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
        note(f"{why}: pixels alone are compared")
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
