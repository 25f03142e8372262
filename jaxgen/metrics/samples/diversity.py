"""Diversity: do samples differ from each other as much as real images do?"""

import numpy as np

from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples.base import SampleMetric, checked_features

COLLAPSED = 0.5


def spread_ratio(real: np.ndarray, fake: np.ndarray) -> float:
    """How far two samples lie apart, as a share of how far two real images do.

    The distance is the root mean square over all pairs, in pixels or in features, and comes from
    the variances alone (its square is twice their sum): cheap enough for an alarm at every log
    line. Near 0 the generator has collapsed to one image; 1 is the data's diversity.

    Args:
        real: M >= 2 real images or features, (M, ...).
        fake: N >= 2 generated ones, (N, ...).

    Returns:
        The ratio, at least 0.

    Raises:
        JaxgenError: fewer than 2 images, shapes that differ, values that are not finite, or real
            images that are all equal.
    """
    flat_real, flat_fake = (np.reshape(x, (len(x), -1)) for x in (real, fake))
    flat_real, flat_fake = checked_features(flat_real, flat_fake)
    real_variance = flat_real.var(0, ddof=1).sum()
    if real_variance == 0:
        raise JaxgenError("diversity: all real images are equal; compare with different ones")
    return float(np.sqrt(flat_fake.var(0, ddof=1).sum() / real_variance))


diversity = SampleMetric(
    "diversity",
    "diversity",
    "closer to 1",
    lambda real, fake: spread_ratio(real.images, fake.images),
    order=50,
    of_pixels=True,
    alarm_below=COLLAPSED,
    alarm=f"samples differ less than {COLLAPSED:.0%} as much as real images do: the generator may "
    "have collapsed to a few of them",
)
