"""Sets of captions in folders of HDF5 files, as the course CS231n gave COCO 2014 to its students.

A folder has the captions and the number of each one's image; JSON with the vocabulary; for each
split the features of its images, and a text file with a line for each image that says where
its picture is. Sets differ in the names of files and keys only, which are their `Layout`.

N captions, T tokens (17 in words), M images.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxgen.data import hdf5, ordinary_files
from jaxgen.data.captions import checks
from jaxgen.data.captions.contents import CaptionData, Features, Split
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag, shortened

if TYPE_CHECKING:
    import h5py

CAPTIONS = "coco2014_captions.h5"
FEATURES_KEY = "features"
DAMAGED = "a file is damaged or belongs to another set"
_BLOCK_BYTES = 64 * 2**20  # of features checked at a time


@dataclass(frozen=True)
class Layout:
    """Names in a folder of captions, where `{split}` stands for one of `splits`."""

    captions: str
    """File with the captions of both splits, under the key {split}_captions."""
    image_index: str
    """Key beside them, with the row of each caption's image in the features."""
    vocabulary: str
    """File of JSON with idx_to_word, a list of words, and word_to_idx, its inverse."""
    features: str
    """File with the features of a split, under the key features."""
    pictures: str
    """File with the place of a picture in each line."""
    splits: tuple[str, str]
    """What the training and the validation split are called."""
    rank: int = 2
    """Axes of the features: 2 where an image has a vector, 3 where it has tokens, 4 where they are
    the pictures, uint8."""
    features_key: str = FEATURES_KEY
    """Key of the features in their file."""


def course_layout(features: str, rank: int = 2) -> Layout:
    """The course's own names, which sets of scenes have too.

    Args:
        features: which ones, by the stem of their files: vgg16_fc7_pca or another.
        rank: their number of axes.
    """
    return Layout(
        captions=CAPTIONS,
        image_index="{split}_image_idxs",
        vocabulary="coco2014_vocab.json",
        features=f"{{split}}2014_{features}.h5",
        pictures="{split}2014_urls.txt",
        splits=("train", "val"),
        rank=rank,
    )


def existing_folder(place: str, otherwise: str = "") -> Path:
    """The folder that `data.dir` names.

    Raises:
        JaxgenError: none is given (`otherwise` is the message), or it does not exist.
    """
    if not place:
        raise JaxgenError(otherwise)
    directory = Path(place).expanduser()
    if not directory.is_dir():
        raise JaxgenError(f"{flag('data.dir')} {directory} is not a folder")
    return directory


def read(directory: Path, layout: Layout, in_memory_mb: int) -> CaptionData:
    """Reads a folder of captions, and checks every array.

    Args:
        directory: an existing folder.
        layout: names of its files.
        in_memory_mb: larger features stay in their file.

    Returns:
        Its two splits.

    Raises:
        JaxgenError: a file or key is missing, or what is in it is not sound.
    """
    vocabulary = _read_vocabulary(directory / layout.vocabulary)
    train, validation = (
        _read_split(directory, split, layout, vocabulary, in_memory_mb) for split in layout.splits
    )
    checks.check_alike(train.features, validation.features, str(directory), DAMAGED)
    return CaptionData(train, validation, vocabulary, directory)


def _read_vocabulary(path: Path) -> Vocabulary:
    text = _text(path)
    try:
        contents = json.loads(text)
        words = contents["idx_to_word"]
        if not isinstance(words, list):
            raise TypeError("idx_to_word is no list")
        agrees = contents["word_to_idx"] == {word: index for index, word in enumerate(words)}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise JaxgenError(
            f"{path} must be JSON with idx_to_word, a list of words, and word_to_idx, its inverse "
            f"({type(error).__name__}: {shortened(str(error))})"
        ) from error
    if not agrees:
        raise JaxgenError(f"{path}: word_to_idx and idx_to_word disagree; write the file again")
    try:
        return Vocabulary(words)
    except JaxgenError as error:
        raise JaxgenError(f"{path}: {error}") from error


def _read_split(
    directory: Path, split: str, layout: Layout, vocabulary: Vocabulary, in_memory_mb: int
) -> Split:
    path = directory / layout.captions
    captions_key, index_key = f"{split}_captions", layout.image_index.format(split=split)
    with hdf5.open_file(path) as file:
        captions_NT = hdf5.read(file, captions_key, rank=2, kind="iu")
        index_N = hdf5.read(file, index_key, rank=1, kind="iu")
    features_path = directory / layout.features.format(split=split)
    features = _read_features(
        features_path, layout.features_key.format(split=split), layout.rank, in_memory_mb
    )
    pictures_path = directory / layout.pictures.format(split=split)
    pictures = _text(pictures_path).splitlines()
    called = checks.Called(
        captions=f"{path} key {captions_key}",
        image_index=f"{path} key {index_key}",
        features=str(features_path),
        pictures=str(pictures_path),
        advice=DAMAGED,
    )
    checks.check_split(captions_NT, index_N, features.shape[0], pictures, vocabulary, called)
    captions = {"captions": captions_NT.astype(np.int32), "image_index": index_N.astype(np.int32)}
    return Split(captions, features, pictures)


def _read_features(path: Path, key: str, rank: int, in_memory_mb: int) -> Features:
    with hdf5.open_file(path) as file:
        dataset = _features_in(file, path, key, rank)
        found = Features(dataset.shape)
        row_bytes = found.bytes_of_one
        keep = found.shape[0] * row_bytes <= in_memory_mb * 2**20
        array = np.empty(found.shape, found.dtype) if keep else None
        step = max(1, _BLOCK_BYTES // max(1, row_bytes))
        for start in range(0, found.shape[0], step):
            block = hdf5.rows(dataset, slice(start, start + step)).astype(found.dtype, copy=False)
            checks.check_finite(block, f"{path} key {key}", DAMAGED, start)
            if array is not None:
                array[start : start + step] = block
    return Features(found.shape, array, None if keep else _reader(path, key, found.shape))


def _features_in(file: "h5py.File", path: Path, key: str, rank: int) -> "h5py.Dataset":
    dataset = hdf5.dataset(file, key, rank, kind="u" if rank == 4 else "f")
    if rank == 4 and (dataset.dtype != np.uint8 or dataset.shape[3] != 3):
        raise JaxgenError(
            f"{path} key {key} must hold pictures, uint8 (M, H, W, 3), not {dataset.dtype} of "
            f"shape {dataset.shape}; {DAMAGED}"
        )
    return dataset


def _reader(path: Path, key: str, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    def rows(index_K: np.ndarray) -> np.ndarray:
        with hdf5.open_file(path) as file:
            dataset = _features_in(file, path, key, len(shape))
            if dataset.shape != shape:
                raise JaxgenError(
                    f"{path} key {key} had shape {shape} and now has {dataset.shape}; "
                    "leave the file as it is while it is used"
                )
            return hdf5.rows(dataset, index_K)

    return rows


def _text(path: Path) -> str:
    return ordinary_files.text(path, f"put it there, or give another {flag('data.dir')}")


def write_captions(
    directory: Path,
    layout: Layout,
    sentences: Mapping[str, Sequence[Sequence[str]]],
    vocabulary: Vocabulary,
    length: int,
) -> None:
    """Writes captions and vocabulary.

    Args:
        directory: an existing folder.
        layout: names of the files.
        sentences: by split, those of each image, of at most `length - 2` words.
        vocabulary: unknown words become UNK.
        length: T.
    """
    import h5py

    with h5py.File(directory / layout.captions, "w") as file:
        for split, of_images in sentences.items():
            flat = [sentence for of_image in of_images for sentence in of_image]
            file[f"{split}_captions"] = np.stack([vocabulary.encode(s, length) for s in flat])
            images = np.arange(len(of_images), dtype=np.int32)
            index_N = np.repeat(images, [*map(len, of_images)])
            file[layout.image_index.format(split=split)] = index_N
    words = list(vocabulary.words)
    contents = {"idx_to_word": words, "word_to_idx": {word: i for i, word in enumerate(words)}}
    (directory / layout.vocabulary).write_text(json.dumps(contents), encoding="utf-8")


def write_features(directory: Path, layout: Layout, features: Mapping[str, np.ndarray]) -> None:
    """Writes the features of each split, real numbers (M, ...)."""
    import h5py

    for split, array in features.items():
        with h5py.File(directory / layout.features.format(split=split), "w") as file:
            file[FEATURES_KEY] = array


def write_pictures(directory: Path, layout: Layout, places: Mapping[str, Sequence[str]]) -> None:
    """Writes where the pictures of each split are; places have no line breaks."""
    for split, lines in places.items():
        text = "".join(f"{line}\n" for line in lines)
        (directory / layout.pictures.format(split=split)).write_text(text, encoding="utf-8")
