"""Formats of sets of images, of pictures and of the cache."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.errors import JaxgenError
from tests.faults.formats import Format, expect

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)


def _idx(folder: Path) -> None:
    header = struct.pack(">4B3I", 0, 0, 8, 3, 6, 28, 28)
    image = header + np.arange(6 * 28 * 28, dtype=np.uint8).tobytes()
    label = struct.pack(">4BI", 0, 0, 8, 1, 6) + bytes([0, 1, 2, 0, 1, 2])
    (folder / "train-images-idx3-ubyte").write_bytes(image)
    (folder / "train-labels-idx1-ubyte").write_bytes(label)


def _idx_gz(folder: Path) -> None:
    _idx(folder)
    for path in list(folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()


def _images(data: dict[str, np.ndarray]) -> Any:
    image, label = data["image"], data["label"]
    expect(image.dtype == np.uint8 and image.ndim == 4 and image.size, f"images {image.shape}")
    expect(image.shape[-1] in (1, 3), f"images {image.shape}")
    expect(label.dtype == np.int32 and label.shape == image.shape[:1], f"labels {label.shape}")
    expect(label.min() >= 0, f"label {label.min()}")
    return data


def _read_idx(folder: Path) -> Any:
    from jaxgen.data.images.base import load_images
    from jaxgen.data.images.idx import Idx

    return _images(load_images(Idx(dir=str(folder))))


def _pictures(name: str, mode: str = "RGB", **options: Any) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from PIL import Image

        for number in range(3):
            pixels = np.roll(PIXELS, number, axis=1)
            if mode == "I;16":
                image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
            else:
                image = Image.fromarray(pixels).convert(mode)
            image.save(folder / f"{number}{name}", **options)

    return make


def _read_pictures(folder: Path) -> Any:
    from jaxgen.data import fetch, picture_files
    from jaxgen.data.images.base import load_images
    from jaxgen.data.images.pictures import Pictures

    path = min(folder.glob("1.*")).with_stem("0")
    image, _, problems = picture_files.read_all([path], 0)
    expect(all(map(str.isprintable, problems)), f"no line: {problems}")
    expect(len(image) + len(problems) == 1, "neither picture nor problem")
    expect(image.dtype == np.uint8 and image.ndim == 4, f"picture {image.shape}")
    shown, told = fetch.fetch(path.name, folder)
    expect((shown is None) == bool(told), f"fetched {shown} and {told}")
    return _images(load_images(Pictures(dir=str(folder), size=16)))


def _read_picture(folder: Path) -> Any:
    from jaxgen.data import picture_files

    image, _, problems = picture_files.read_all([folder / "0.png"], 0)
    return None if problems else image


def _tfds(folder: Path) -> None:
    import tensorflow_datasets as tfds
    from PIL import Image
    from tensorflow_datasets.core.dataset_info import DatasetIdentity

    copy = folder / "mnist" / "3.0.1"
    copy.mkdir(parents=True)
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(28, 28, 1)),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
    )
    identity = DatasetIdentity(
        name="mnist",
        version=tfds.core.Version("3.0.1"),
        data_dir=str(copy),
        module_name=__name__,
        config_name="",
    )
    writer = tfds.core.SequentialWriter(
        tfds.core.DatasetInfo(builder=identity, features=features),
        max_examples_per_shard=4,
        file_format="array_record",
    )
    writer.initialize_splits(["train"])
    picture = Image.fromarray(np.resize(PIXELS[..., 0], (28, 28)))
    writer.add_examples({"train": [{"image": picture, "label": label} for label in range(6)]})
    writer.close_all()


def _read_tfds(folder: Path) -> Any:
    from jaxgen.data.images.base import load_images
    from jaxgen.data.images.tfds import Tfds

    return _images(load_images(Tfds(name="mnist", dir=str(folder))))


def _packed(folder: Path) -> None:
    from jaxgen.data.packing import pack
    from jaxgen.data.packing.plan import PackConfig

    (folder / "pictures").mkdir()
    _pictures(".png")(folder / "pictures")
    pack.pack(PackConfig(folder / "pictures", folder / "set"))


def _read_packed(folder: Path) -> Any:
    from jaxgen.data.images.base import load_images
    from jaxgen.data.images.packed import Packed

    return _images(load_images(Packed(dir=str(folder / "set"), size=16)))


def _half_packed(folder: Path) -> None:
    """As packing leaves it that is killed before it writes the index."""
    from jaxgen.data.packing import pack
    from jaxgen.data.packing.plan import PackConfig

    (folder / "pictures").mkdir()
    _pictures(".png")(folder / "pictures")
    written, pack.set_index.write = pack.set_index.write, _killed
    try:
        pack.pack(PackConfig(folder / "pictures", folder / "set"))
    except InterruptedError:
        pass
    finally:
        pack.set_index.write = written


def _killed(*arguments: Any) -> None:
    raise InterruptedError


def _read_half_packed(folder: Path) -> Any:
    from jaxgen.data.packing import pack
    from jaxgen.data.packing.plan import PackConfig

    try:
        pack.pack(PackConfig(folder / "pictures", folder / "set"))
    except OSError as error:  # such as a folder in a file's place: a sentence of `guard`
        raise JaxgenError(f"{error.filename}: {error.strerror}") from error
    return _read_packed(folder)


def _cache(folder: Path) -> None:
    from jaxgen.data import cache

    cache.kept("sample", "fingerprint", _arrays)


def _arrays() -> dict[str, np.ndarray]:
    return {"image": PIXELS[None], "label": np.zeros(1, np.int32), "texts": np.array(["a", "bc"])}


def _read_cache(folder: Path) -> Any:
    from jaxgen.data import cache

    return cache.kept("sample", "fingerprint", _arrays)


_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_PICTURES: tuple[tuple[str, dict[str, Any]], ...] = (
    (".png", {}),
    (".png", {"mode": "P"}),
    (".png", {"mode": "RGBA"}),
    (".png", {"mode": "I;16"}),
    (".jpg", {}),
    (".jpg", {"progressive": True}),
    (".jpg", {"mode": "CMYK"}),
    (".gif", {}),
    (".bmp", {}),
    (".tif", {}),
    (".tif", {"mode": "L", "compression": "tiff_lzw"}),
    (".tif", {"compression": "jpeg"}),
    (".webp", {}),
    (".webp", {"mode": "RGBA", "lossless": True}),
    (".ppm", {}),
    (".pgm", {"mode": "L"}),
)


def _of_pictures(suffix: str, options: dict[str, Any]) -> Format:
    name = " ".join(["picture", suffix, *map(str, options.values())])
    kind = "png" if suffix == ".png" else "bytes"
    return Format(name, f"0{suffix}", _pictures(suffix, **options), _read_pictures, kind)


_COPY = "mnist/3.0.1"
_RECORDS = f"{_COPY}/mnist-train.array_record-00000"
_SHARD = "part-00000-of-00001.array_record"
FORMATS = (
    *(Format(f"IDX {name}", name, _idx, _read_idx) for name in _IDX),
    *(Format(f"IDX {name}.gz", f"{name}.gz", _idx_gz, _read_idx, "gzip") for name in _IDX),
    Format("IDX gz by checksum", f"{_IDX[0]}.gz", _idx_gz, _read_idx, whole=True),
    *(_of_pictures(suffix, options) for suffix, options in _PICTURES),
    Format("PNG by checksum", "0.png", _pictures(".png"), _read_picture, whole=True),
    Format("TFDS info", f"{_COPY}/dataset_info.json", _tfds, _read_tfds, "json"),
    Format("TFDS features", f"{_COPY}/features.json", _tfds, _read_tfds, "json"),
    Format("TFDS records", _RECORDS, _tfds, _read_tfds, whole=True),
    Format("packed set", "set/set.json", _packed, _read_packed, "json", whole=True),
    Format("packed shard", f"set/{_SHARD}", _packed, _read_packed, whole=True),
    Format(
        "packing note", f"set/.note-{_SHARD}", _half_packed, _read_half_packed, "json", whole=True
    ),
    Format("packing shard", f"set/{_SHARD}", _half_packed, _read_half_packed, whole=True),
    Format("cache", "cache/sample.npz", _cache, _read_cache, whole=True),
)
