"""Formats of sets of captions, of scenes, and of what sets are built from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.formats import Format, Unsound, expect
from tests.faults.image_formats import PIXELS

WORDS = ["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat", "dog"]
TOKENS = {"train": [[1, 4, 5, 2, 0], [1, 4, 6, 2, 0], [1, 5, 2, 0, 0], [1, 4, 3, 6, 2]]}
TOKENS["val"] = TOKENS["validation"] = [[1, 6, 2, 0, 0], [1, 4, 5, 2, 0]]
IMAGES = {"train": [0, 2, 1, 2], "val": [1, 0], "validation": [1, 0]}
ROWS = {"train": 3, "val": 2, "validation": 2}


def _vocabulary(path: Path) -> None:
    contents = {"idx_to_word": WORDS, "word_to_idx": {word: i for i, word in enumerate(WORDS)}}
    path.write_text(json.dumps(contents))


def _features(split: str, *shape: int) -> np.ndarray:
    size = ROWS[split] * int(np.prod(shape))
    return np.arange(size, dtype=np.float32).reshape(ROWS[split], *shape)


def _coco(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "coco2014_captions.h5", "w") as file:
        for split in ("train", "val"):
            file[f"{split}_captions"] = np.array(TOKENS[split], np.int32)
            file[f"{split}_image_idxs"] = np.array(IMAGES[split], np.int32)
    for split in ("train", "val"):
        packed: dict[str, Any] = {"compression": "gzip", "shuffle": True, "chunks": (1, 4)}
        with h5py.File(folder / f"{split}2014_vgg16_fc7_pca.h5", "w") as file:
            how = packed if split == "val" else {}
            file.create_dataset("features", data=_features(split, 8), **how)
        lines = "".join(f"images.h5#{split}_images/{row}\n" for row in range(ROWS[split]))
        (folder / f"{split}2014_urls.txt").write_text(lines)
    with h5py.File(folder / "images.h5", "w") as file:
        for split in ("train", "val"):
            pictures = np.stack([PIXELS] * ROWS[split])
            file.create_dataset(
                f"{split}_images", data=pictures, chunks=(1, *PIXELS.shape), compression="gzip"
            )
    _vocabulary(folder / "coco2014_vocab.json")


def _own(folder: Path) -> None:
    import h5py

    splits = ("train", "validation")
    with h5py.File(folder / "captions.h5", "w", libver="latest") as file:
        for split in splits:
            file.create_dataset(
                f"{split}_captions", data=np.array(TOKENS[split]), chunks=(1, 5), fletcher32=True
            )
            file[f"{split}_image_index"] = np.array(IMAGES[split], np.int16)
    for split in splits:
        with h5py.File(folder / f"{split}_features_pca.h5", "w", libver="latest") as file:
            features = _features(split, 8).astype(np.float16)
            file.create_dataset("features", data=features, maxshape=(None, None), chunks=(2, 3))
            file["features"].attrs["from"] = "nowhere"
        (folder / f"{split}_pictures.txt").write_text("a.png\n" * ROWS[split])
    _vocabulary(folder / "vocabulary.json")


def _scenes(folder: Path) -> None:
    import h5py

    from jaxgen.data.scenes.rendering import one_hot, sample_facts

    _coco(folder)
    with h5py.File(folder / "scene_facts.h5", "w") as file:
        for split in ("train", "val"):
            facts = sample_facts(np.random.default_rng(0), ROWS[split])
            file[f"{split}_facts"] = facts
            with h5py.File(folder / f"{split}2014_attribute_tokens.h5", "w") as tokens:
                tokens["features"] = one_hot(facts)


def _captions(data: Any) -> Any:
    from jaxgen.data import fetch

    words = data.vocabulary
    for split in (data.train, data.validation):
        tokens, index = split.captions["captions"], split.captions["image_index"]
        rows = split.features.shape[0]
        expect(tokens.dtype == index.dtype == np.int32, f"{tokens.dtype}, {index.dtype}")
        expect(tokens.ndim == 2 and len(tokens) == len(index), f"{tokens.shape}, {index.shape}")
        expect(tokens.min() >= 0 and tokens.max() < len(words), "a token outside")
        expect(index.min() >= 0 and index.max() < rows == len(split.urls), "an image outside")
        found = split.features.gather(np.arange(rows))
        expect(found.dtype == np.float32, f"features {found.dtype}")
        expect(found.shape == split.features.shape, f"features {found.shape}")
        expect(np.isfinite(found).all(), "features are not finite")
        for sentence in words.decode(tokens):
            sentence.encode()
        if not split.urls[0].lower().startswith("http"):
            shown, told = fetch.fetch(split.urls[0], data.directory)
            expect(shown is None or shown.dtype == np.uint8, "a picture that is none")
            expect(isinstance(told, str), f"{told!r}")
    expect(data.train.features.shape[1:] == data.validation.features.shape[1:], "widths differ")
    return None


def _read_coco(folder: Path) -> Any:
    from jaxgen.data.captions.base import load_captions
    from jaxgen.data.captions.coco import Coco

    _captions(load_captions(Coco(dir=str(folder), units="characters")))
    return _captions(load_captions(Coco(dir=str(folder), in_memory_mb=0)))


def _read_own(folder: Path) -> Any:
    from jaxgen.data.captions.base import load_captions
    from jaxgen.data.captions.own_pictures import CaptionedPictures

    return _captions(load_captions(CaptionedPictures(dir=str(folder))))


def _read_scenes(folder: Path) -> Any:
    from jaxgen.data.captions.base import load_captions
    from jaxgen.data.scenes.captions import Scenes
    from jaxgen.data.scenes.files import load_scenes
    from jaxgen.data.scenes.rendering import CLASSES

    data = load_captions(Scenes(dir=str(folder), features="attribute_tokens"))
    for scene in [*load_scenes(folder, "train"), *(data.facts or ())]:
        for digit in scene:
            known = all(0 <= v < n for v, n in zip(digit, CLASSES, strict=True))
            expect(known, f"a digit {digit}")
    return _captions(data)


def _manifest(folder: Path) -> None:
    from jaxgen.data.scenes import build

    _scenes(folder)
    (folder / "manifest.json").write_text(json.dumps(_about(folder), indent=1))
    expect(build._is_sound(folder, build.ScenesConfig(3, 2)), "the sample is not sound")


def _about(folder: Path) -> dict[str, Any]:
    from jaxgen.data.scenes import build

    hashes = {path.name: build._hash(path) for path in sorted(folder.iterdir())}
    return build._about(build.ScenesConfig(3, 2)) | {"sha256": hashes}


def _read_manifest(folder: Path) -> Any:
    from jaxgen.data.scenes import build

    if not build._is_sound(folder, build.ScenesConfig(3, 2)):
        return None
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    return None if manifest == _about(folder) else _unsound("other files than were made pass")


def _unsound(what: str) -> None:
    raise Unsound(what)


PAIRS = [("a.png", 'A cat, "running".'), ("a.png", "dog"), ("b/c.png", "two dogs on a hill")]


def _csv(folder: Path) -> None:
    import csv

    with (folder / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "split", "caption"), *((i, "", c) for i, c in PAIRS)])


def _json_list(folder: Path) -> None:
    content = [{"image": image, "caption": caption} for image, caption in PAIRS]
    (folder / "captions.json").write_text(json.dumps(content))


def _json_object(folder: Path) -> None:
    content = {"a.png": ["A cat.", "dog"], "b/c.png": ["two dogs"]}
    (folder / "captions.json").write_text(json.dumps(content))


def _json_coco(folder: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b/c.png"}],
        "annotations": [
            {"image_id": 1, "caption": "A cat."},
            {"image_id": 2, "caption": "two dogs"},
        ],
    }
    (folder / "captions.json").write_text(json.dumps(content))


def _json_karpathy(folder: Path) -> None:
    images = [
        {
            "filepath": folder_of,
            "filename": name,
            "cocoid": number,
            "split": split,
            "sentences": [{"raw": "A cat.", "tokens": ["a", "cat"]}, {"raw": "dog"}],
        }
        for number, (folder_of, name, split) in enumerate(
            (("in", "a.png", "restval"), ("b", "c.png", "val"))
        )
    ]
    (folder / "captions.json").write_text(json.dumps({"images": images, "dataset": "coco"}))


def _flickr(folder: Path) -> None:
    lines = [f"{image}#{number}\t{caption}\n" for number, (image, caption) in enumerate(PAIRS)]
    (folder / "captions.csv").write_text("".join(lines))


def _results(folder: Path) -> None:
    _json_coco(folder)
    content = [{"image_id": 1, "caption": "a cat"}, {"image_id": 2, "caption": "dogs"}]
    (folder / "results.json").write_text(json.dumps(content))


def _read_results(folder: Path) -> Any:
    from jaxgen.metrics.captions import score

    config = score.ScoreConfig(java=False, resamples=20, missing="skip")
    paths = folder / "results.json", folder / "captions.json"
    found = score.score(*paths, config, "0")
    for its in found.systems:
        values = [*its["figures"].values(), *its["language"].values()]
        expect(all(np.isfinite(value) for value in values), f"{values}")
    expect(found.signature.isprintable(), f"no line: {found.signature!r}")
    return None


def _with_pictures(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def made(folder: Path) -> None:
        from PIL import Image

        (folder / "in" / "b").mkdir(parents=True)
        for name in ("a.png", "b/c.png"):
            Image.fromarray(PIXELS).save(folder / "in" / name)
        make(folder)

    return made


def _read_build(folder: Path, captions: str = "captions.csv") -> Any:
    from jaxgen.data.captions import build
    from jaxgen.data.captions.base import load_captions
    from jaxgen.data.captions.own_pictures import CaptionedPictures

    features = folder / "features.npy"
    config = build.BuildConfig(
        images=folder / "in",
        captions=folder / captions,
        out=folder / "out",
        threshold=1,
        features=str(features) if features.name in _names(folder) else "pixels",
    )
    for line in build.build(config):
        expect(line.isprintable(), f"no line: {line!r}")
    return _captions(load_captions(CaptionedPictures(dir=str(folder / "out"))))


def _read_build_json(folder: Path) -> Any:
    return _read_build(folder, "captions.json")


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _npy(folder: Path) -> None:
    _csv(folder)
    np.save(folder / "features.npy", np.arange(16, dtype=np.float32).reshape(2, 8))


def _npy_2(folder: Path) -> None:
    _csv(folder)
    with (folder / "features.npy").open("wb") as file:
        array = np.asfortranarray(np.arange(16).reshape(2, 8))
        np.lib.format.write_array(file, array, version=(2, 0))


FORMATS = (
    Format("HDF5 captions", "coco2014_captions.h5", _coco, _read_coco, "hdf5"),
    Format("HDF5 features", "train2014_vgg16_fc7_pca.h5", _coco, _read_coco, "hdf5"),
    Format("HDF5 gzip", "val2014_vgg16_fc7_pca.h5", _coco, _read_coco, "hdf5"),
    Format("HDF5 pictures", "images.h5", _coco, _read_coco, "hdf5"),
    Format("vocabulary", "coco2014_vocab.json", _coco, _read_coco, "json"),
    Format("places", "train2014_urls.txt", _coco, _read_coco, "lines"),
    Format("HDF5 newest captions", "captions.h5", _own, _read_own, "hdf5"),
    Format("HDF5 newest features", "train_features_pca.h5", _own, _read_own, "hdf5"),
    Format("HDF5 facts", "scene_facts.h5", _scenes, _read_scenes, "hdf5"),
    Format("HDF5 tokens", "val2014_attribute_tokens.h5", _scenes, _read_scenes, "hdf5"),
    Format("manifest", "manifest.json", _manifest, _read_manifest, "json"),
    Format("scenes by hash", "train2014_attribute_tokens.h5", _manifest, _read_manifest),
    Format("captions CSV", "captions.csv", _with_pictures(_csv), _read_build, "lines"),
    Format("captions Flickr", "captions.csv", _with_pictures(_flickr), _read_build, "lines"),
    Format("captions scored", "results.json", _results, _read_results, "json"),
    Format("references", "captions.json", _results, _read_results, "json"),
    *(
        Format(f"captions {name}", "captions.json", _with_pictures(make), _read_build_json, "json")
        for name, make in (
            ("list", _json_list),
            ("object", _json_object),
            ("COCO", _json_coco),
            ("Karpathy", _json_karpathy),
        )
    ),
    Format("npy", "features.npy", _with_pictures(_npy), _read_build),
    Format("npy 2.0", "features.npy", _with_pictures(_npy_2), _read_build),
)
