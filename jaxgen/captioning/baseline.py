"""The captioner to beat: it copies a caption of the training image whose features are most similar.

Devlin et al. 2015, https://arxiv.org/abs/1505.04467, with one neighbour.
"""

import math

import numpy as np

from jaxgen.data.captions.base import Features, Split
from jaxgen.data.captions.vocabulary import Vocabulary

_BLOCK_BYTES = 64 * 2**20  # of training features, and of similarities, at a time


def sentences(train: Split, vocabulary: Vocabulary, features: np.ndarray) -> list[str]:
    """The first caption of each image's nearest training image.

    Args:
        train: the training captions; images without a caption there are skipped.
        vocabulary: of the captions.
        features: of M images, float (M, *train.features.shape[1:]).

    Returns:
        M sentences, words separated by spaces.
    """
    images, first_rows = np.unique(train.captions["image_index"], return_index=True)
    chosen = first_rows[nearest(train.features, images, features)]
    return vocabulary.decode(train.captions["captions"][chosen])


def nearest(among: Features, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Which of some images is most similar by the cosine of features; tokens count by their mean.

    Pictures count by their pixels.

    Args:
        among: features of images, which may be in their file: a block is read at a time.
        rows: which of those images to choose from, int (K,).
        features: of M images, (M, *among.shape[1:]).

    Returns:
        Indices into `rows`, int (M,); the first of several that are equally similar.
    """
    wanted_MF = _directions(features)
    step = max(1, _BLOCK_BYTES // (4 * max(len(features), math.prod(among.shape[1:]))))
    best_M, index_M = np.full(len(features), -np.inf), np.zeros(len(features), int)
    for start in range(0, len(rows), step):
        block_KF = _directions(among.gather(rows[start : start + step]))
        cosine_MK = wanted_MF @ block_KF.T
        highest_M = cosine_MK.max(axis=1)
        index_M = np.where(highest_M > best_M, start + cosine_MK.argmax(axis=1), index_M)
        best_M = np.maximum(highest_M, best_M)
    return index_M


def _directions(features: np.ndarray) -> np.ndarray:
    """Vectors of length 1, (M, F); those that are zero stay so."""
    vectors_MF = features.mean(axis=1) if features.ndim == 3 else features
    if features.ndim == 4:
        vectors_MF = features.reshape(len(features), -1).astype(np.float32)
    norms_M1 = np.linalg.norm(vectors_MF, axis=1, keepdims=True)
    return vectors_MF / np.where(norms_M1 == 0, 1, norms_M1)
