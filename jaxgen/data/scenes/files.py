"""What is in the folder of a set of scenes: pictures, facts, sentences and features.

The files that readers of captions need have the names of COCO's; beside them there are the pictures
(images.h5) and what is in them (scene_facts.h5).

N scenes of a split, S slots for digits, A attributes of a digit, H W C sides and channels of a
picture, F width of a feature, P the same after reduction.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data import hdf5
from jaxgen.data.captions import course_files
from jaxgen.data.captions.course_files import course_layout
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.scenes import digits as scene_digits
from jaxgen.data.scenes import features as scene_features
from jaxgen.data.scenes.rendering import (
    CANVAS,
    CLASSES,
    EMPTY,
    SLOTS,
    Glyphs,
    Scene,
    draw,
    one_hot,
    sample_facts,
    scenes_of,
)
from jaxgen.data.scenes.sentences import describe
from jaxgen.display import progress
from jaxgen.errors import JaxgenError

TOKENS = 17  # of a caption
LEAST_COUNT = 5  # a word that training sentences use less often becomes UNK
PCA_WIDTH = 512
VECTORS, WHOLE_VECTORS = course_layout("vgg16_fc7_pca"), course_layout("vgg16_fc7")
GRIDS, ATTRIBUTES = course_layout("grid", rank=3), course_layout("attributes")
ATTRIBUTE_TOKENS = course_layout("attribute_tokens", rank=3)
_IMAGES, _IMAGES_KEY = "images.h5", "{split}_images"
PIXELS = replace(VECTORS, features=_IMAGES, features_key=_IMAGES_KEY, rank=4)
SPLITS = VECTORS.splits
_FACTS = "scene_facts.h5"


def write(directory: Path, sizes: Mapping[str, int], seed: int) -> None:
    """Makes a set of scenes in an empty folder.

    Args:
        directory: an existing folder.
        sizes: how many scenes each of SPLITS has.
        seed: of everything drawn.

    Raises:
        JaxgenError: the digits or the network's weights cannot be read.
    """
    import h5py

    weights = scene_features.load_weights()
    digits = dict(zip(SPLITS, scene_digits.split(), strict=True))
    facts, hidden = {}, {}
    with progress.bar(total=sum(sizes.values()), desc="making scenes", unit="scene") as made:
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng((seed, number))
            facts[split] = sample_facts(rng, sizes[split])
            glyphs = scene_digits.glyphs(digits[split])
            hidden[split] = _draw_and_see(
                directory, split, rng, facts[split], glyphs, weights, made
            )
    sentences = {
        split: describe(scenes_of(facts[split]), seed=2 * seed + number)
        for number, split in enumerate(SPLITS)
    }
    _write_texts(directory, sentences)
    _write_features(directory, facts, hidden)
    with h5py.File(directory / _FACTS, "w") as file:
        for split in SPLITS:
            file[f"{split}_facts"] = facts[split]


def load_scenes(directory: Path, split: str) -> list[Scene]:
    """What is in each picture of a split ("train" or "val"), for `metrics.truth`.

    Raises:
        JaxgenError: the folder holds no scenes.
    """
    path = Path(directory) / _FACTS
    try:
        with hdf5.open_file(path) as file:
            facts_NSA = hdf5.read(file, f"{split}_facts", rank=3, kind="iu")
    except JaxgenError as error:
        raise JaxgenError(f"{directory} is no set of scenes: {error}") from error
    if facts_NSA.shape[1:] != (SLOTS, len(CLASSES)):
        raise JaxgenError(
            f"{path} key {split}_facts has shape {facts_NSA.shape}; make the scenes again"
        )
    is_known = (facts_NSA == EMPTY) | ((facts_NSA >= 0) & (facts_NSA < np.array(CLASSES)))
    is_empty_NS = facts_NSA[:, :, 0] == EMPTY
    is_known &= (facts_NSA == EMPTY) == is_empty_NS[:, :, None]  # of a digit, all is known
    if not is_known.all():
        raise JaxgenError(
            f"{path} key {split}_facts does not hold facts of scenes; make the scenes again"
        )
    return scenes_of(facts_NSA)


def _draw_and_see(
    directory: Path,
    split: str,
    rng: np.random.Generator,
    facts_NSA: np.ndarray,
    glyphs: Glyphs,
    weights: dict[str, Any],
    made: Any,
) -> np.ndarray:
    """Writes the pictures and the grid of a split; returns the hidden layer, float16 (N, F)."""
    import h5py

    size = len(facts_NSA)
    hidden_NF = np.empty((size, scene_features.HIDDEN), np.float16)
    grid_shape = (size, scene_features.TOKEN_SIDE**2, scene_features.TOKEN_WIDTH)
    with (
        h5py.File(directory / _IMAGES, "a") as images,
        h5py.File(directory / GRIDS.features.format(split=split), "w") as grids,
    ):
        image_set = images.create_dataset(
            _IMAGES_KEY.format(split=split),
            (size, CANVAS, CANVAS, 3),
            np.uint8,
            chunks=(min(16, size), CANVAS, CANVAS, 3),
            compression="gzip",
            compression_opts=1,
        )
        grid_set = grids.create_dataset(course_files.FEATURES_KEY, grid_shape, np.float16)
        for start in range(0, size, scene_features.BATCH):
            rows = slice(start, min(start + scene_features.BATCH, size))
            image_set[rows], _ = draw(rng, facts_NSA[rows], glyphs)
            grid_set[rows], hidden_NF[rows] = scene_features.extract(weights, image_set[rows])
            made.update(rows.stop - rows.start)
    return hidden_NF


def _write_texts(directory: Path, sentences: dict[str, list[list[str]]]) -> None:
    """Writes captions, vocabulary, and where in images.h5 each picture is."""
    of_training = [sentence for of_scene in sentences["train"] for sentence in of_scene]
    vocabulary = Vocabulary.of_sentences(of_training, LEAST_COUNT)
    course_files.write_captions(directory, VECTORS, sentences, vocabulary, TOKENS)
    places = {
        split: [
            f"{_IMAGES}#{_IMAGES_KEY.format(split=split)}/{row}"
            for row in range(len(sentences[split]))
        ]
        for split in SPLITS
    }
    course_files.write_pictures(directory, VECTORS, places)


def _write_features(
    directory: Path, facts: dict[str, np.ndarray], hidden: dict[str, np.ndarray]
) -> None:
    """Writes what the network saw as vectors, whole and reduced, and the true attributes."""
    mean_F, components_FP = _principal_components(hidden["train"])
    reduced = {
        split: (hidden_NF.astype(np.float32) - mean_F) @ components_FP
        for split, hidden_NF in hidden.items()
    }
    tokens = {split: one_hot(facts_NSA) for split, facts_NSA in facts.items()}
    flat = {split: tokens_NSF.reshape(len(tokens_NSF), -1) for split, tokens_NSF in tokens.items()}
    course_files.write_features(directory, WHOLE_VECTORS, hidden)
    course_files.write_features(directory, VECTORS, reduced)
    course_files.write_features(directory, ATTRIBUTE_TOKENS, tokens)
    course_files.write_features(directory, ATTRIBUTES, flat)


def _principal_components(hidden_NF: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (F,) and projection (F, P), scaled so that the reduced features vary by 1 on average."""
    hidden_NF = hidden_NF.astype(np.float64)
    mean_F = hidden_NF.mean(axis=0)
    centred_NF = hidden_NF - mean_F
    variance, vectors_FF = np.linalg.eigh(centred_NF.T @ centred_NF / len(hidden_NF))
    components_FP = vectors_FF[:, ::-1][:, :PCA_WIDTH]
    largest_P = np.abs(components_FP).argmax(axis=0)  # an eigenvector's sign is arbitrary
    signs_P = np.sign(components_FP[largest_P, np.arange(PCA_WIDTH)])
    scale = np.sqrt(max(variance[::-1][:PCA_WIDTH].mean(), np.finfo(np.float32).tiny))
    return mean_F.astype(np.float32), (components_FP * signs_P / scale).astype(np.float32)
