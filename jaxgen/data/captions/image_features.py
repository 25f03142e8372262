"""Features of pictures for captioning where there is no network to compute any.

N images, M those of training, F width, P width after reduction.
"""

import warnings
from pathlib import Path

import numpy as np

from jaxgen.data import ordinary_files
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, shortened

SIDE = 16  # of the squares whose pixels are features
MOST_BYTES = 8 * 2**30  # of features: those of a million images, 2,048 wide
WIDEST = 512  # features after reduction, as many as the course's files for COCO have


def of_pixels(image_NSSC: np.ndarray) -> np.ndarray:
    """Pixels as they are: a baseline that knows what is bright and of which colour where.

    Args:
        image_NSSC: uint8 (N, S, S, C).

    Returns:
        float32 (N, S * S * C) in [-1, 1].
    """
    return image_NSSC.reshape(len(image_NSSC), -1).astype(np.float32) / 127.5 - 1


def read(path: Path, rows: int) -> np.ndarray:
    """Reads features that someone computed.

    Args:
        path: a `.npy` file of real numbers, (N, F).
        rows: N.

    Returns:
        float32 (N, F).

    Raises:
        JaxgenError: the file cannot be read, or holds anything else.
    """
    name = f"{flag('features')} {path}"
    ordinary_files.check(path, f"give another {flag('features')}")
    try:
        # Mapped, not read: a header that announces more than the file holds is refused so, and
        # nothing is ever unpickled.
        with warnings.catch_warnings(action="ignore"):  # NumPy's, about headers that it can read
            features_NF = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # damaged headers raise nearly anything
        reason = shortened(" ".join(str(error).split()), 200) or type(error).__name__
        raise JaxgenError(
            f"{name} cannot be read as a .npy file ({reason}); write it with numpy.save"
        ) from error
    if not isinstance(features_NF, np.ndarray):
        features_NF.close()
        raise JaxgenError(f"{name} must hold one array, as numpy.save writes it")
    if features_NF.dtype.kind not in "fiu":
        raise JaxgenError(f"{name} must hold one array of real numbers")
    if features_NF.ndim != 2 or len(features_NF) != rows or not features_NF.size:
        raise JaxgenError(
            f"{name} has shape {features_NF.shape}: expected ({rows}, width), a row for "
            "each picture of the folder in the order of their sorted names"
        )
    if features_NF.size * 4 > MOST_BYTES:
        raise JaxgenError(
            f"{name} has shape {features_NF.shape}, more than the {MOST_BYTES} bytes that are "
            "read; reduce the features to fewer numbers an image"
        )
    features_NF = features_NF.astype(np.float32)
    is_bad_N = ~np.isfinite(features_NF).all(axis=1)
    if is_bad_N.any():
        raise JaxgenError(f"{name} row {is_bad_N.argmax()} has a value that is not finite")
    return features_NF


def principal_components(features_MF: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which features vary most, at most 512 and as many as M rows can tell.

    Args:
        features_MF: float (M, F), M >= 1.

    Returns:
        mean_F and projection_FP, float32, so that `(features - mean) @ projection` varies by 1 on
        average; P is at least 1.
    """
    features_MF = features_MF.astype(np.float64)
    mean_F = features_MF.mean(axis=0)
    centred_MF = (features_MF - mean_F) / np.sqrt(len(features_MF))
    if len(features_MF) < features_MF.shape[1]:  # the smaller of two matrices has all there is
        variance_P, left_MP = np.linalg.eigh(centred_MF @ centred_MF.T)
        vectors_FP = centred_MF.T @ left_MP
    else:
        variance_P, vectors_FP = np.linalg.eigh(centred_MF.T @ centred_MF)
    kept = max(1, min(WIDEST, int((variance_P > 1e-9 * variance_P[-1]).sum())))
    vectors_FP = vectors_FP[:, ::-1][:, :kept]
    tiny = np.finfo(np.float32).tiny
    vectors_FP = vectors_FP / np.maximum(np.linalg.norm(vectors_FP, axis=0), tiny)
    largest_P = np.abs(vectors_FP).argmax(axis=0)  # an eigenvector's sign is arbitrary
    signs_P = np.sign(vectors_FP[largest_P, np.arange(kept)])
    scale = np.sqrt(max(variance_P[::-1][:kept].mean(), tiny))
    return mean_F.astype(np.float32), (vectors_FP * signs_P / scale).astype(np.float32)
