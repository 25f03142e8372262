"""Groups of like images, found without labels.

N images, M of them that centres are found on, D pixels, K clusters.
"""

import numpy as np

from jaxgen.data.images.stored import StoredImages
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.settings.notes import note

_MOST_FITTED = 2**27  # bytes of the images that centres are found on, as float32
_ROUNDS = 50  # of Lloyd's algorithm
_BLOCK = 2**26  # bytes of images that are held against the centres at a time


def cluster_of_each(images: StoredImages, clusters: int) -> np.ndarray:
    """Divides images into groups by k-means of their pixels.

    Lloyd's algorithm from centres that k-means++ has drawn (Arthur and Vassilvitskii 2007), always
    the same ones. Of a large set the centres are found on images that are evenly spaced in it.

    Args:
        images: the set; where it is kept in files, those that centres are found on are read first,
            then all of them, from front to back.
        clusters: K, at least 1.

    Returns:
        int32 (N,), the cluster of each image, from 0 on; none is empty, so there may be fewer than
        were asked for.

    Raises:
        JaxgenError: there are fewer images than clusters, or an image cannot be read.
    """
    import warnings

    from scipy.cluster.vq import kmeans2, vq

    count = len(images)
    if count < clusters:
        raise JaxgenError(f"{flag('clusters')} {clusters}: there are only {count} images")
    fitted = max(clusters, _MOST_FITTED // (4 * images.bytes_of_one))
    place_M = np.linspace(0, count - 1, min(count, fitted)).astype(int)
    pixels_MD = _pixels(images, place_M)
    with warnings.catch_warnings(action="ignore"):  # a cluster without images is told below
        centre_KD, _ = kmeans2(
            pixels_MD, _first_centres(pixels_MD, clusters), iter=_ROUNDS, minit="matrix"
        )
    step = max(1, _BLOCK // (4 * images.bytes_of_one))
    nearest = [
        vq(_pixels(images, np.arange(start, min(start + step, count))), centre_KD)[0]
        for start in range(0, count, step)
    ]
    used, cluster_N = np.unique(np.concatenate(nearest), return_inverse=True)
    if len(used) < clusters:
        note(f"{flag('clusters')} {clusters}: only {len(used)} of them have images of their own")
    return cluster_N.astype(np.int32)


def _first_centres(pixels_MD: np.ndarray, clusters: int) -> np.ndarray:
    """Images (K, D), each drawn in proportion to its squared distance from those before it.

    SciPy's own, which measures all distances again for each centre, takes minutes for hundreds.
    """
    rng = np.random.default_rng(0)
    square_M = np.square(pixels_MD).sum(1)
    apart_M = np.full(len(pixels_MD), np.inf)
    place = int(rng.integers(len(pixels_MD)))
    chosen = [place]
    for share in rng.random(clusters - 1):
        to_newest_M = square_M + square_M[place] - 2 * (pixels_MD @ pixels_MD[place])
        apart_M = np.minimum(apart_M, np.maximum(to_newest_M, 0))
        until_M = np.cumsum(apart_M, dtype=np.float64)
        place = int(np.searchsorted(until_M, share * until_M[-1], side="right"))
        place = min(place, len(pixels_MD) - 1)  # the last where all are chosen already
        chosen.append(place)
    return pixels_MD[chosen]


def _pixels(images: StoredImages, place_M: np.ndarray) -> np.ndarray:
    """float32 (M, D) in [0, 1]."""
    return images.gather(place_M).reshape(len(place_M), -1).astype(np.float32) / 255
