"""The embedded caption set: scenes of real digits, true sentences and features, as HDF5 files.

    python -m jaxgen.data.scenes

makes it in the user's cache folder; `coco.load` does so on first use. Beside the files that the
loader reads there are the pictures (images.h5) and what is in them (scene_facts.h5).
"""

import dataclasses
import hashlib
import json
import os
import tempfile
from pathlib import Path

import h5py
import numpy as np

from jaxgen.data import cache
from jaxgen.data.captions import course_files as coco
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.scenes import digits as scene_digits
from jaxgen.data.scenes import features as scene_features
from jaxgen.data.scenes.rendering import CANVAS, Scene, draw, one_hot, sample_facts, scenes_of
from jaxgen.data.scenes.sentences import describe
from jaxgen.display import progress
from jaxgen.errors import JaxgenError

VERSION = 1  # raise it when the same settings give another set
SENTENCES = 5  # for each scene
LEAST_COUNT = 5  # a word that training sentences use less often becomes UNK
PCA_WIDTH = 512
SPLITS = ("train", "val")
_MANIFEST = "manifest.json"


@dataclasses.dataclass(frozen=True)
class ScenesConfig:
    """A set of scenes."""

    train: int = 20_000
    """Training scenes."""

    val: int = 2_000
    """Validation scenes, of other digits."""

    seed: int = 0
    """Seed of everything drawn."""


def ensure(config: ScenesConfig | None = None) -> Path:
    """The folder of a set of scenes, made first if it is not there or is damaged.

    Args:
      config: the set; the default one if None.

    Returns:
      The folder, in the user's cache.

    Raises:
      JaxgenError: a number is out of range, or the folder cannot be written.
    """
    config = config or ScenesConfig()
    if min(config.train, config.val) < 1 or config.seed < 0:
        raise JaxgenError("scenes need at least one scene for each split and a seed of 0 or more")
    directory = cache.folder() / f"scenes-{config.train}-{config.val}-{config.seed}"
    if _is_sound(directory, config):
        return directory
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.parent, suffix=".tmp") as temporary:
            made, old = Path(temporary) / "made", Path(temporary) / "old"
            made.mkdir()
            build(made, config)
            if directory.exists() and not _is_sound(directory, config):
                os.replace(directory, old)
            if not directory.exists():  # or else another run made it meanwhile
                os.replace(made, directory)
    except OSError as error:
        raise JaxgenError(
            f"cannot write scenes to {directory} ({error}); set JAXGEN_CACHE_DIR to another folder"
        ) from error
    return directory


def load_scenes(directory: Path, split: str) -> list[Scene]:
    """What is in each picture of a split ("train" or "val"), for `metrics.truth`.

    Raises:
      JaxgenError: the folder holds no scenes.
    """
    path = Path(directory) / "scene_facts.h5"
    try:
        with h5py.File(path) as file:
            return scenes_of(file[f"{split}_facts"][:])
    except (OSError, KeyError) as error:
        raise JaxgenError(f"{path} cannot be read ({error}); is this a set of scenes?") from error


def build(directory: Path, config: ScenesConfig) -> None:
    """Makes a set of scenes in an empty folder.

    Args:
      directory: an existing folder.
      config: the set.

    Raises:
      JaxgenError: the digits or the network's weights cannot be read.
    """
    weights = scene_features.load_weights()
    digits = dict(zip(SPLITS, scene_digits.split(), strict=True))
    facts, hidden = {}, {}
    with progress.bar(total=config.train + config.val, desc="making scenes", unit="scene") as made:
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng((config.seed, number))
            facts[split] = sample_facts(rng, getattr(config, split))
            glyphs = scene_digits.glyphs(digits[split])
            hidden[split] = _draw_and_see(
                directory, split, rng, facts[split], glyphs, weights, made
            )
    sentences = {
        split: describe(scenes_of(facts[split]), seed=2 * config.seed + number)
        for number, split in enumerate(SPLITS)
    }
    _write_captions(directory, sentences)
    mean_F, components_FP = _principal_components(hidden["train"])
    for split in SPLITS:
        reduced = (hidden[split].astype(np.float32) - mean_F) @ components_FP
        _write_features(directory, split, "vgg16_fc7", hidden[split])
        _write_features(directory, split, "vgg16_fc7_pca", reduced)
        attributes_NSF = one_hot(facts[split])
        _write_features(directory, split, "attribute_tokens", attributes_NSF)
        flat_NF = attributes_NSF.reshape(len(attributes_NSF), -1)
        _write_features(directory, split, "attributes", flat_NF)
        places = [f"images.h5#{split}_images/{row}\n" for row in range(len(facts[split]))]
        (directory / f"{split}2014_urls.txt").write_text("".join(places), encoding="utf-8")
    with h5py.File(directory / "scene_facts.h5", "w") as file:
        for split in SPLITS:
            file[f"{split}_facts"] = facts[split]
    hashes = {path.name: _hash(path) for path in sorted(directory.iterdir())}
    manifest = _settings(config) | {"sha256": hashes}
    (directory / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _draw_and_see(directory, split, rng, facts_NSA, glyphs, weights, made) -> np.ndarray:
    """Writes the pictures and the grid of a split; gives the last hidden layer, float16 (N, F)."""
    size = len(facts_NSA)
    hidden_NF = np.empty((size, scene_features.HIDDEN), np.float16)
    grid_shape = (size, scene_features.TOKEN_SIDE**2, scene_features.TOKEN_WIDTH)
    with (
        h5py.File(directory / "images.h5", "a") as images,
        h5py.File(directory / f"{split}2014_grid.h5", "w") as grids,
    ):
        image_set = images.create_dataset(
            f"{split}_images",
            (size, CANVAS, CANVAS, 3),
            np.uint8,
            chunks=(min(16, size), CANVAS, CANVAS, 3),
            compression="gzip",
            compression_opts=1,
        )
        grid_set = grids.create_dataset(coco.FEATURES_KEY, grid_shape, np.float16)
        for start in range(0, size, scene_features.BATCH):
            rows = slice(start, min(start + scene_features.BATCH, size))
            image_set[rows], _ = draw(rng, facts_NSA[rows], glyphs)
            grid_set[rows], hidden_NF[rows] = scene_features.extract(weights, image_set[rows])
            made.update(rows.stop - rows.start)
    return hidden_NF


def _write_captions(directory: Path, sentences: dict[str, list[list[str]]]) -> None:
    flat = {split: [s for scene in sentences[split] for s in scene] for split in SPLITS}
    vocabulary = Vocabulary.of_sentences(flat["train"], LEAST_COUNT)
    with h5py.File(directory / coco.CAPTIONS, "w") as file:
        for split in SPLITS:
            file[f"{split}_captions"] = np.stack([vocabulary.encode(s) for s in flat[split]])
            images = np.arange(len(sentences[split]), dtype=np.int32)
            file[f"{split}_image_idxs"] = np.repeat(images, SENTENCES)
    words = list(vocabulary.words)
    contents = {"idx_to_word": words, "word_to_idx": {word: i for i, word in enumerate(words)}}
    (directory / coco.VOCABULARY).write_text(json.dumps(contents), encoding="utf-8")


def _write_features(directory: Path, split: str, name: str, features: np.ndarray) -> None:
    with h5py.File(directory / f"{split}2014_{name}.h5", "w") as file:
        file[coco.FEATURES_KEY] = features


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


def _settings(config: ScenesConfig) -> dict:
    return {
        "version": VERSION,
        "weights": scene_features.SHA256,
        "config": dataclasses.asdict(config),
    }


def _is_sound(directory: Path, config: ScenesConfig) -> bool:
    """Whether the folder holds this set, every file as it was written."""
    try:
        manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        hashes = manifest.pop("sha256")
        return manifest == _settings(config) and all(
            _hash(directory / name) == sha256 for name, sha256 in hashes.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Makes the set that the command line names and prints its folder."""
    import tyro

    print(ensure(tyro.cli(ScenesConfig, prog="python -m jaxgen.data.scenes")))


if __name__ == "__main__":
    main()
