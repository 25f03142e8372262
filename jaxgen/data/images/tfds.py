"""Prepared TensorFlow Datasets copies, read without TensorFlow and without a network."""

import importlib.util
import io
import os
from pathlib import Path

import numpy as np

from jaxgen.data import cache
from jaxgen.errors import JaxgenError

INSTALL = "`pip install 'jaxgen[tfds]'`"
CHUNK = 5_000  # examples per read: array_record reads a chunk in parallel


def load(name: str, folder: str) -> dict[str, np.ndarray]:
    """Loads the split `train` of a copy in array_record format.

    The decoded images are kept in jaxgen's cache, because decoding 60,000 PNGs takes seconds.

    Args:
      name: of the data set in TFDS, of grey images with labels.
      folder: TFDS's data_dir; empty for `$TFDS_DATA_DIR` or ~/tensorflow_datasets.

    Returns:
      `image` uint8 (N, H, W, 1) and `label` int32 (N,).

    Raises:
      JaxgenError: TFDS is not installed, or there is no copy, or none that can be read.
    """
    if importlib.util.find_spec("tensorflow_datasets") is None:
        raise JaxgenError(f"data set {name!r} needs TensorFlow Datasets; {INSTALL}")
    copy = _find(name, folder)
    sources = [copy / "dataset_info.json", *sorted(copy.glob(f"{name}-train.array_record*"))]
    try:
        return cache.parsed(name, sources, lambda: _read(copy))
    except ImportError as error:
        raise JaxgenError(f"TensorFlow Datasets is incomplete ({error}); {INSTALL}") from error
    except Exception as error:  # damaged copies make TFDS and its parsers raise nearly anything
        raise JaxgenError(
            f"cannot read the TFDS copy {copy}; delete it and prepare it again "
            f"({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error


def _find(name: str, folder: str) -> Path:
    """The newest prepared version, looked for as files: TFDS itself would try the network."""
    chosen = folder or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    data_dir = Path(chosen).expanduser()
    copies = sorted(data_dir.glob(f"{name}/*/dataset_info.json"), key=_version)
    for info in reversed(copies):
        if any(info.parent.glob(f"{name}-train.array_record*")):
            return info.parent
    found = f"only copies in another file format in {copies[-1].parent}" if copies else "no copy"
    raise JaxgenError(
        f"no prepared TFDS copy of {name!r} in array_record format under {data_dir} (found "
        f"{found}); on a machine with a network and TensorFlow run `tfds build {name} "
        f"--file_format=array_record`, then copy the folder {name} here or give --data.dir"
    )


def _version(info: Path) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in info.parent.name.split("."))


def _read(copy: Path) -> dict[str, np.ndarray]:
    import tensorflow_datasets as tfds  # heavy, and an optional extra
    from PIL import Image

    # TFDS's own image decoder warns where OpenCV is absent; PNGs need no more than Pillow.
    source = tfds.builder_from_directory(copy).as_data_source(
        split="train", decoders={"image": tfds.decode.SkipDecoding()}
    )
    image, label = [], []
    for start in range(0, len(source), CHUNK):
        for example in source.__getitems__(range(start, min(start + CHUNK, len(source)))):
            with Image.open(io.BytesIO(example["image"])) as png:
                image.append(np.asarray(png, np.uint8)[..., None])
            label.append(example["label"])
    return {"image": np.stack(image), "label": np.asarray(label, np.int32)}
