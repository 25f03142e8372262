"""TFDS copies: a small real one in array_record format, written and read without TensorFlow."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxgen.data.images import base as images
from jaxgen.errors import JaxgenError

IMAGE_NHWC = np.random.default_rng(0).integers(0, 256, (7, 28, 28, 1), dtype=np.uint8)
LABEL_N = np.array([5, 0, 4, 1, 9, 2, 1], np.int32)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "default"))


def prepare(data_dir, name="mnist", version="3.0.1"):
    """Writes the images as the split `train` of a TFDS copy of two shards; gives its folder."""
    import tensorflow_datasets as tfds
    from PIL import Image
    from tensorflow_datasets.core.dataset_info import DatasetIdentity

    copy = data_dir / name / version
    copy.mkdir(parents=True)
    identity = DatasetIdentity(
        name=name, version=tfds.core.Version(version), data_dir=str(copy), module_name=__name__
    )
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(28, 28, 1)),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
    )
    writer = tfds.core.SequentialWriter(
        tfds.core.DatasetInfo(builder=identity, features=features),
        max_examples_per_shard=4,
        file_format="array_record",
    )
    writer.initialize_splits(["train"])
    examples = zip(IMAGE_NHWC, LABEL_N.tolist(), strict=True)
    writer.add_examples(
        {"train": [{"image": Image.fromarray(i[..., 0]), "label": label} for i, label in examples]}
    )
    writer.close_all()
    return copy


def load(data_dir="", name="mnist"):
    config = images.ImagesConfig(name=name, dir=str(data_dir), train=5, validation=5)
    return images.load(config)


def check(data):
    np.testing.assert_array_equal(data["train"]["image"], IMAGE_NHWC[:5])
    np.testing.assert_array_equal(data["train"]["label"], LABEL_N[:5])
    np.testing.assert_array_equal(data["validation"]["image"], IMAGE_NHWC[5:])
    np.testing.assert_array_equal(data["validation"]["label"], LABEL_N[5:])
    assert data["train"]["image"].dtype == np.uint8
    assert data["train"]["label"].dtype == np.int32


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_prepared_copy_is_read_and_then_comes_from_the_cache(tmp_path, monkeypatch, name):
    prepare(tmp_path, name)
    check(load(tmp_path, name))
    monkeypatch.setattr("jaxgen.data.images.tfds._read", None)  # a second reading would call it
    check(load(tmp_path, name))


def test_the_default_place_is_that_of_tfds(tmp_path):
    prepare(tmp_path / "default")
    check(load())


def test_the_newest_version_is_taken(tmp_path):
    for version in ("3.9.0", "3.10.0"):
        prepare(tmp_path, version=version)
    next((tmp_path / "mnist" / "3.9.0").glob("*-00000")).unlink()
    check(load(tmp_path))


def test_tensorflow_is_not_imported(tmp_path):
    prepare(tmp_path)
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('tensorflow was imported')")
    program = (
        "from jaxgen.data.images import ImagesConfig, load; import sys; "
        f"load(ImagesConfig('mnist', {str(tmp_path)!r})); "
        "assert 'tensorflow_datasets' in sys.modules and 'tensorflow' not in sys.modules"
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_an_absent_copy_is_refused_at_once_with_what_to_do(tmp_path):
    start = time.perf_counter()
    with pytest.raises(JaxgenError, match=r"no prepared TFDS copy of 'mnist'.*tfds build mnist"):
        load(tmp_path)
    assert time.perf_counter() - start < 1


def test_a_copy_in_another_format_is_named(tmp_path):
    copy = prepare(tmp_path)
    for shard in copy.glob("*array_record*"):
        shard.rename(str(shard).replace("array_record", "tfrecord"))
    with pytest.raises(JaxgenError, match=r"only copies in another file format in .*3\.0\.1"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("victim", "damage"),
    [
        ("dataset_info.json", "truncate"),  # without it, a folder is no copy
        ("features.json", "remove"),
        ("features.json", "truncate"),
        ("*-00000", "remove"),
        ("*-00001", "truncate"),
    ],
)
def test_a_damaged_copy_is_refused(tmp_path, victim, damage):
    copy = prepare(tmp_path)
    (path,) = copy.glob(victim)
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(JaxgenError, match="cannot read the TFDS copy") as raised:
        load(tmp_path)
    assert str(copy) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(JaxgenError, match=r"pip install 'jaxgen\[tfds\]'"):
        load(tmp_path)
