"""Preparing copies of TFDS sets: a set of the tests' own, and each reason why none can be made."""

import functools
import importlib.machinery
import importlib.util

import numpy as np
import pytest
import requests

from jaxgen import settings
from jaxgen.data.images import tfds_download
from jaxgen.data.images.base import load_images
from jaxgen.data.images.tfds import Tfds
from jaxgen.errors import JaxgenError

VALUES = [0, 40, 80]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def with_tensorflow(monkeypatch):
    """As if TensorFlow were installed; the sets here do not need it, since they give pictures."""
    find = importlib.util.find_spec
    spec = importlib.machinery.ModuleSpec("tensorflow", None)
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # set by `prepare` otherwise
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: spec if name == "tensorflow" else find(name)
    )


@functools.cache  # TFDS knows a set from its definition on, and refuses a second one of its name
def define_sets(folder):
    import tensorflow_datasets as tfds
    from etils import epath
    from PIL import Image

    class JaxgenEvenGrey(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = epath.Path(folder)

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(16, 16, 1)),
                "label": tfds.features.ClassLabel(num_classes=3),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for label, value in enumerate(VALUES):
                image = Image.fromarray(np.full((16, 16), value, np.uint8))
                yield label, {"image": image, "label": label}

    class JaxgenEvenGreys(JaxgenEvenGrey):
        BUILDER_CONFIGS = (
            tfds.core.BuilderConfig(name="dark", version="1.0.0"),
            tfds.core.BuilderConfig(name="bright", version="1.0.0"),
        )


@pytest.fixture
def sets(tmp_path_factory):
    define_sets(tmp_path_factory.getbasetemp())


def load(data_dir, name="jaxgen_even_grey", **fields):
    return load_images(Tfds(name=name, dir=str(data_dir), download=True, **fields))


def refusal(data_dir, name="jaxgen_even_grey"):
    with pytest.raises(JaxgenError) as raised:
        load(data_dir, name)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def values_of(data):
    return dict(zip(data["label"].tolist(), data["image"][:, 0, 0, 0].tolist(), strict=True))


@pytest.mark.parametrize("name", ["jaxgen_even_grey", "jaxgen_even_greys/dark"])
def test_a_set_is_prepared_once_and_read(tmp_path, sets, with_tensorflow, monkeypatch, name):
    data = load(tmp_path / "new", name)
    assert data["image"].shape == (3, 16, 16, 1)
    assert values_of(data) == dict(enumerate(VALUES))
    assert list((tmp_path / "new" / name / "1.0.0").glob("*-train.array_record-*"))
    monkeypatch.setattr(tfds_download, "prepare", None)  # a second download would call it
    assert values_of(load(tmp_path / "new", name)) == dict(enumerate(VALUES))
    assert load(tmp_path / "new", name, size=32)["image"].shape == (3, 32, 32, 1)


def test_nothing_is_prepared_beside_a_copy_in_another_format(tmp_path, with_tensorflow):
    copy = tmp_path / "mnist" / "3.0.1"
    copy.mkdir(parents=True)
    (copy / "dataset_info.json").write_text("{}")
    assert "found only copies in another file format" in refusal(tmp_path, "mnist")


def test_the_configuration_of_a_set_with_several_has_to_be_named(tmp_path, sets, with_tensorflow):
    message = refusal(tmp_path, "jaxgen_even_greys")
    assert message == (
        "TFDS set 'jaxgen_even_greys' has several configurations (dark, bright); name one, such as "
        "data.name jaxgen_even_greys/dark"
    )
    message = refusal(tmp_path, "jaxgen_even_greys/light")
    assert "TFDS cannot prepare 'jaxgen_even_greys/light'" in message
    assert "BuilderConfig light not found" in message


def test_tensorflow_is_needed(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "tensorflow" else find(name)
    )
    message = refusal(tmp_path, "mnist")
    assert message == (
        "data.download needs TensorFlow, with which TFDS prepares 'mnist'; `pip install "
        "tensorflow`, or prepare it on another machine"
    )
    with settings.flags_spelled():
        assert refusal(tmp_path, "mnist").startswith("--data.download needs TensorFlow")


def test_a_set_that_tfds_does_not_know_is_named(tmp_path, with_tensorflow):
    message = refusal(tmp_path, "no_such_set")
    assert "has no data set 'no_such_set' (data.name); its sets are listed at https://" in message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            requests.ConnectionError("Failed to resolve\n'storage.googleapis.com'"),
            "cannot download 'jaxgen_even_grey', since its server does not answer; try again with "
            "a network that reaches it, or prepare it on another machine (Failed to resolve "
            "'storage.googleapis.com')",
        ),
        (requests.Timeout("30 s"), "its server does not answer"),
        (
            ModuleNotFoundError("No module named 'scipy'"),
            "TFDS needs another package to prepare 'jaxgen_even_grey'; install it (No module named "
            "'scipy')",
        ),
        (OSError("Not enough disk space. " + "x" * 999), "(OSError: Not enough disk space. xxx"),
        (AssertionError("Manual directory\nis missing"), "(AssertionError: Manual directory is "),
    ],
)
def test_what_goes_wrong_is_told_in_a_sentence(
    tmp_path, sets, with_tensorflow, monkeypatch, error, message
):
    import tensorflow_datasets as tfds

    def fail(builder, file_format):
        assert file_format == "array_record"
        raise error

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    told = refusal(tmp_path)
    assert message in told
    assert len(told) < 500
