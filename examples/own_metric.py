"""A figure of your own: how sharp samples are beside real images.

    python -m experiments.vanilla_gan --workdir runs/a
    jaxgen evaluate runs/a --import examples/own_metric.py

A metric is a variable of a file. Declared in the file of an experiment, it is measured while that
trains, too.
"""

import numpy as np

from jaxgen.metrics.samples.base import Measured, SampleMetric


def _sharpness(real: Measured, fake: Measured) -> float:
    """The mean difference of neighbouring pixels, as a share of that of real images."""

    def edges(images_NHWC: np.ndarray) -> float:
        return np.abs(np.diff(np.asarray(images_NHWC, np.float64), axis=2)).mean()

    return float(edges(fake.images) / edges(real.images))


sharpness = SampleMetric("sharpness", "sharpness", "closer to 1", _sharpness, while_training=True)
