"""Captions with image features from HDF5 files in the layout of the course notebook on COCO 2014.

`python -m jaxgen.data.scenes` writes the same layout. Legend: N captions, T tokens (17 in words), M
images.
"""

import dataclasses
import json
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from jaxgen.data import hdf5
from jaxgen.data.captions import characters
from jaxgen.data.captions.vocabulary import Units, Vocabulary
from jaxgen.errors import JaxgenError

CAPTIONS = "coco2014_captions.h5"
VOCABULARY = "coco2014_vocab.json"
FEATURES_KEY = "features"
_BLOCK_BYTES = 64 * 2**20  # of features checked at a time


@dataclasses.dataclass(frozen=True)
class CaptionsConfig:
    """Which captions and features to train on."""

    name: Literal["scenes", "coco"] = "scenes"
    """scenes (pictures of digits that jaxgen makes on first use: no network), or coco (a folder
    with the files of the course notebook)."""

    dir: str = ""
    """coco: the folder. scenes: a folder with a set made earlier; by default the user's cache."""

    features: Literal["vector", "grid", "attributes", "attribute_tokens"] = "vector"
    """vector: one a picture. scenes also has grid: 16 tokens a picture, for attention; and, to try
    a captioner without the network that sees, the true attributes as one vector or as one token for
    each digit."""

    units: Units = "words"
    """What captions are made of: words, or characters, which make them about four times as long."""

    scenes: int = 20_000
    """How many training scenes to make, with a tenth as many for validation."""

    pca: bool = True
    """Vectors reduced by PCA (512 wide), or as the network gave them (4096 for coco, 1024 for
    scenes)."""

    max_train: int = 0
    """Train on so many captions, drawn at random; 0 for all."""

    max_train_seed: int = 0
    """Seed of that draw."""

    in_memory_mb: int = 512
    """Features larger than this stay in their file, and each chunk of batches is read from it."""


@dataclasses.dataclass(frozen=True)
class Features:
    """Features of M images, in memory or in their file.

    Attributes:
      path: the HDF5 file.
      shape: (M, F) for vectors, (M, L, F) for tokens.
      array: float32 of that shape, or None if they stay in the file.
    """

    path: Path
    shape: tuple[int, ...]
    array: np.ndarray | None

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Features of some images.

        Args:
          rows: integers of any shape, in [0, M); repeats are read once.

        Returns:
          float32 (*rows.shape, *shape[1:]).
        """
        if self.array is not None:
            return self.array[rows]
        unique, inverse = np.unique(rows, return_inverse=True)
        with h5py.File(self.path) as file:
            found = file[FEATURES_KEY][unique].astype(np.float32, copy=False)
        return found[inverse].reshape(*np.shape(rows), *self.shape[1:])


@dataclasses.dataclass(frozen=True)
class Split:
    """The training or the validation captions.

    Attributes:
      captions: `captions` int32 (N, T) and `image_index` int32 (N,), a row of the features.
      features: of the images.
      urls: M places of the pictures, for `pictures.fetch`.
    """

    captions: dict[str, np.ndarray]
    features: Features
    urls: list[str]


@dataclasses.dataclass(frozen=True)
class Captions:
    """A data set of captions.

    Attributes:
      train, val: its two splits.
      vocabulary: of both.
      directory: where relative paths in `urls` start.
    """

    train: Split
    val: Split
    vocabulary: Vocabulary
    directory: Path


def load(config: CaptionsConfig) -> Captions:
    """Loads and checks a data set of captions; makes the scenes if they are not there.

    Args:
      config: what to load.

    Returns:
      Captions.

    Raises:
      JaxgenError: a file or key is missing, or what is in it is not sound.
    """
    if config.max_train < 0 or config.max_train_seed < 0 or config.in_memory_mb < 0:
        raise JaxgenError(
            "--data.max-train, --data.max-train-seed and --data.in-memory-mb must not be negative"
        )
    directory = _directory(config)
    vocabulary = _load_vocabulary(directory / VOCABULARY)
    train, val = (_load_split(directory, split, config, vocabulary) for split in ("train", "val"))
    if config.units == "characters":
        vocabulary, train, val = _spelt(vocabulary, train, val)
    if config.max_train:
        rng = np.random.default_rng(config.max_train_seed)
        size = len(train.captions["captions"])
        rows = rng.choice(size, min(config.max_train, size), replace=False)
        some = {name: array[rows] for name, array in train.captions.items()}
        train = dataclasses.replace(train, captions=some)
    return Captions(train, val, vocabulary, directory)


def _spelt(words: Vocabulary, *splits: Split) -> tuple[Vocabulary, Split, Split]:
    """The vocabulary of characters, and the splits with captions in it, of the same length."""
    alphabet = characters.character_vocabulary(words)
    spelt = [characters.spell(split.captions["captions"], words, alphabet) for split in splits]
    longest = max(captions_NT.shape[1] for captions_NT in spelt)
    train, val = (
        dataclasses.replace(
            split,
            captions=split.captions | {"captions": characters.widen(captions, longest, alphabet)},
        )
        for split, captions in zip(splits, spelt, strict=True)
    )
    return alphabet, train, val


def _directory(config: CaptionsConfig) -> Path:
    if config.name == "scenes" and not config.dir:
        from jaxgen.data.scenes import build as scenes

        if config.scenes < 10:
            raise JaxgenError(f"--data.scenes must be at least 10, got {config.scenes}")
        return scenes.ensure(scenes.ScenesConfig(config.scenes, config.scenes // 10))
    if not config.dir:
        raise JaxgenError(
            f"COCO does not come with jaxgen: give --data.dir, a folder with {CAPTIONS}"
        )
    directory = Path(config.dir).expanduser()
    if not directory.is_dir():
        raise JaxgenError(f"--data.dir {directory} is not a folder")
    return directory


def _load_vocabulary(path: Path) -> Vocabulary:
    try:
        contents = json.loads(_text(path))
        words = contents["idx_to_word"]
        agrees = contents["word_to_idx"] == {word: index for index, word in enumerate(words)}
    except (ValueError, KeyError, TypeError) as error:
        raise JaxgenError(
            f"{path} must be JSON with idx_to_word, a list of words, and word_to_idx, its inverse "
            f"({type(error).__name__}: {error})"
        ) from error
    if not agrees:
        raise JaxgenError(f"{path}: word_to_idx and idx_to_word disagree; write the file anew")
    try:
        return Vocabulary(words)
    except JaxgenError as error:
        raise JaxgenError(f"{path}: {error}") from error


def _load_split(
    directory: Path, split: str, config: CaptionsConfig, vocabulary: Vocabulary
) -> Split:
    path = directory / CAPTIONS
    with hdf5.open_file(path) as file:
        captions_NT = hdf5.read(file, f"{split}_captions", rank=2, kind="iu")
        index_N = hdf5.read(file, f"{split}_image_idxs", rank=1, kind="iu")
    where = f"{path} key {split}_captions"
    if len(captions_NT) != len(index_N):
        raise JaxgenError(
            f"{where} has {len(captions_NT)} rows, but {split}_image_idxs {len(index_N)}"
        )
    hdf5.refuse(
        np.any((captions_NT < 0) | (captions_NT >= len(vocabulary)), axis=1),
        f"{where} has a token outside the vocabulary of {len(vocabulary)} words",
    )
    hdf5.refuse(captions_NT[:, 0] != vocabulary.start, f"{where} has a caption without START")
    hdf5.refuse(np.all(captions_NT != vocabulary.end, axis=1), f"{where} has a caption without END")
    features = _load_features(directory, split, config)
    hdf5.refuse(
        (index_N < 0) | (index_N >= features.shape[0]),
        f"{path} key {split}_image_idxs has an image outside the {features.shape[0]} rows of "
        f"{features.path}",
    )
    urls_path = directory / f"{split}2014_urls.txt"
    urls = _text(urls_path).splitlines()
    if len(urls) != features.shape[0]:
        raise JaxgenError(
            f"{urls_path} has {len(urls)} lines, but {features.path} {features.shape[0]} rows"
        )
    arrays = {"captions": captions_NT, "image_index": index_N}
    return Split({k: a.astype(np.int32) for k, a in arrays.items()}, features, urls)


def _load_features(directory: Path, split: str, config: CaptionsConfig) -> Features:
    stem, rank = {
        "vector": ("vgg16_fc7_pca" if config.pca else "vgg16_fc7", 2),
        "grid": ("grid", 3),
        "attributes": ("attributes", 2),
        "attribute_tokens": ("attribute_tokens", 3),
    }[config.features]
    path = directory / f"{split}2014_{stem}.h5"
    with hdf5.open_file(path) as file:
        dataset = hdf5.dataset(file, FEATURES_KEY, rank, kind="f")
        shape = dataset.shape
        row_bytes = 4 * int(np.prod(shape[1:]))
        keep = shape[0] * row_bytes <= config.in_memory_mb * 2**20
        array = np.empty(shape, np.float32) if keep else None
        step = max(1, _BLOCK_BYTES // max(1, row_bytes))
        for start in range(0, shape[0], step):
            block = hdf5.rows(dataset, start, start + step).astype(np.float32, copy=False)
            is_finite = np.isfinite(block.reshape(len(block), -1)).all(axis=1)
            hdf5.refuse(
                ~is_finite, f"{path} key {FEATURES_KEY} has a value that is not finite", start
            )
            if array is not None:
                array[start : start + step] = block
    return Features(path, shape, array)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JaxgenError(f"{path} cannot be read ({error})") from error
