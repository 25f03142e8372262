"""TFDS copies: small real ones in array_record format, written and read without TensorFlow."""

import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from jaxgen.data import cache, picture_files
from jaxgen.data.images.base import load_images, open_images
from jaxgen.data.images.tfds import Tfds
from jaxgen.errors import JaxgenError

RNG = np.random.default_rng(0)
GREY_NHWC = RNG.integers(0, 256, (7, 28, 28, 1), dtype=np.uint8)
RGB_NHWC = RNG.integers(0, 256, (7, 12, 20, 3), dtype=np.uint8)
LABEL_N = np.array([5, 0, 4, 1, 9, 2, 1], np.int32)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "default"))


def write(copy, features, examples, split="train"):
    """Writes a split of a TFDS copy, at most four examples a shard; gives its folder."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.dataset_info import DatasetIdentity

    copy.mkdir(parents=True)
    parts = copy.parts
    name = parts[-2] if parts[-3] == "copies" else parts[-3]
    identity = DatasetIdentity(
        name=name,
        version=tfds.core.Version(copy.name),
        data_dir=str(copy),
        module_name=__name__,
        config_name="" if parts[-3] == "copies" else parts[-2],
    )
    writer = tfds.core.SequentialWriter(
        tfds.core.DatasetInfo(builder=identity, features=tfds.features.FeaturesDict(features)),
        max_examples_per_shard=4,
        file_format="array_record",
    )
    writer.initialize_splits([split])
    writer.add_examples({split: examples})
    writer.close_all()
    return copy


def pictures(image_NHWC):
    from PIL import Image

    return [
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
        for image in image_NHWC
    ]


def prepare(data_dir, name="mnist", version="3.0.1", images: Any = GREY_NHWC, shape=None):
    """A copy with images and labels."""
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=shape or images[0].shape),
        "label": tfds.features.ClassLabel(num_classes=10),
    }
    pairs = zip(pictures(images), LABEL_N.tolist(), strict=True)
    examples = [{"image": image, "label": label} for image, label in pairs]
    return write(data_dir / name / version, features, examples)


@pytest.fixture
def copies(tmp_path):
    return tmp_path / "copies"


def load(data_dir="", name="mnist", **fields):
    return load_images(Tfds(name=name, dir=str(data_dir), **fields))


def refusal(*args, **fields):
    with pytest.raises(JaxgenError) as raised:
        load(*args, **fields)
    assert str(raised.value).isprintable()
    return str(raised.value)


def check(data):
    np.testing.assert_array_equal(data["image"], GREY_NHWC)
    np.testing.assert_array_equal(data["label"], LABEL_N)
    assert data["image"].dtype == np.uint8
    assert data["label"].dtype == np.int32


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_prepared_copy_is_read_and_then_comes_from_the_cache(copies, monkeypatch, name):
    prepare(copies, name)
    check(load(copies, name))
    monkeypatch.setattr("jaxgen.data.images.tfds._read", None)  # a second reading would call it
    check(load(copies, name))
    assert len(load(copies, name, train=5)["image"]) == 5


def test_the_default_place_is_that_of_tfds(tmp_path, copies):
    prepare(copies)
    copies.rename(tmp_path / "default")
    check(load())


def test_the_newest_version_is_taken(copies):
    for version in ("3.9.0", "3.10.0"):
        prepare(copies, version=version)
    next((copies / "mnist" / "3.9.0").glob("*-00000")).unlink()
    check(load(copies))


def test_a_configuration_is_part_of_the_name(copies):
    import tensorflow_datasets as tfds

    features = {"image": tfds.features.Image(shape=(28, 28, 1))}
    examples = [{"image": image} for image in pictures(GREY_NHWC)]
    write(copies / "many" / "fog_1" / "1.0.0", features, examples)
    np.testing.assert_array_equal(load(copies, "many/fog_1")["image"], GREY_NHWC)
    message = refusal(copies, "many")
    assert "there are copies of its configurations fog_1; name one, such as" in message
    assert message.endswith("data.name many/fog_1")


def test_colours_are_read(copies):
    prepare(copies, "cifar10", images=RGB_NHWC)
    for colour in ("auto", "rgb"):
        data = load(copies, "cifar10", colour=colour)
        np.testing.assert_array_equal(data["image"], RGB_NHWC)
        np.testing.assert_array_equal(data["label"], LABEL_N)
    grey = load(copies, "cifar10", colour="grey")["image"]
    np.testing.assert_array_equal(grey, picture_files.in_colour(RGB_NHWC, "grey"))


def test_grey_images_can_be_given_three_channels(copies):
    prepare(copies)
    np.testing.assert_array_equal(load(copies, colour="rgb")["image"], GREY_NHWC.repeat(3, axis=-1))


def test_images_that_differ_in_size_are_cut_and_scaled(copies):
    images = [image[:, : 12 + row] for row, image in enumerate(RGB_NHWC)]
    prepare(copies, "celeb_a", images=images, shape=(None, None, 3))
    message = refusal(copies, "celeb_a")
    assert "of TFDS set 'celeb_a' differ in size (12x12 and 12x13 among them)" in message
    assert message.endswith("such as data.size 64")
    data = load(copies, "celeb_a", size=16)
    assert data["image"].shape == (7, 16, 16, 3)
    np.testing.assert_array_equal(data["label"], LABEL_N)
    for picture, image in zip(pictures(images), data["image"], strict=True):
        picture.save(copies / "one.png")
        np.testing.assert_array_equal(image, picture_files.read(copies / "one.png", 16))


def test_each_name_size_and_colour_is_cached_by_itself(copies):
    prepare(copies)
    prepare(copies, "cifar10", images=RGB_NHWC)
    for _ in range(2):
        check(load(copies))
        assert load(copies, size=32)["image"].shape == (7, 32, 32, 1)
        assert load(copies, size=32, colour="rgb")["image"].shape == (7, 32, 32, 3)
        assert load(copies, "cifar10")["image"].shape == (7, 12, 20, 3)
    assert sorted(path.name for path in cache.folder().iterdir()) == [
        "tfds-cifar10-0-auto.npz",
        "tfds-mnist-0-auto.npz",
        "tfds-mnist-32-auto.npz",
        "tfds-mnist-32-rgb.npz",
    ]


def test_jpegs_and_16_bits_are_read(copies):
    import tensorflow_datasets as tfds
    from PIL import Image

    smooth = np.linspace(0, 255, 16, dtype=np.uint8)[None, :, None].repeat(16, 0).repeat(3, 2)
    Image.fromarray(smooth).save(copies.parent / "a.jpg", quality=95)
    features = {"image": tfds.features.Image(shape=(16, 16, 3), encoding_format="jpeg")}
    write(copies / "jpegs" / "1.0.0", features, [{"image": str(copies.parent / "a.jpg")}])
    image = load(copies, "jpegs")["image"]
    assert image.shape == (1, 16, 16, 1)
    assert np.abs(image[0].astype(int) - smooth[..., :1]).max() < 8

    deep = Image.fromarray(np.full((16, 16), 0x8001, np.uint16))
    deep.save(copies.parent / "a.png")
    features = {"image": tfds.features.Image(shape=(16, 16, 1), dtype=np.uint16)}
    write(copies / "deep" / "1.0.0", features, [{"image": str(copies.parent / "a.png")}])
    assert (load(copies, "deep")["image"] == 0x80).all()


def test_what_is_no_class_is_no_label_and_other_features_are_not_decoded(copies):
    import tensorflow_datasets as tfds

    mask = tfds.features.Image(shape=(28, 28, 1))
    for name, label, value in (
        ("none", None, None),
        ("several", tfds.features.Sequence(tfds.features.ClassLabel(num_classes=3)), [1, 2]),
        ("text", tfds.features.Text(), "owl"),
    ):
        features = {"image": mask, "objects": {"mask": mask}} | ({"label": label} if label else {})
        examples = [
            {"image": image, "objects": {"mask": image}} | ({"label": value} if label else {})
            for image in pictures(GREY_NHWC)
        ]
        write(copies / name / "1.0.0", features, examples)
        data = load(copies, name)
        np.testing.assert_array_equal(data["image"], GREY_NHWC)
        np.testing.assert_array_equal(data["label"], np.zeros(7, np.int32), strict=True)


def test_sets_of_something_else_are_refused(copies):
    import tensorflow_datasets as tfds

    text = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(num_classes=2)}
    write(copies / "reviews" / "1.0.0", text, [{"text": "good", "label": 1}])
    message = refusal(copies, "reviews")
    assert "TFDS set 'reviews' has no feature 'image' that holds pictures" in message
    assert message.endswith("its features are label, text")
    numbers = {"image": tfds.features.Tensor(shape=(2,), dtype=np.float32)}
    write(copies / "numbers" / "1.0.0", numbers, [{"image": np.zeros(2, np.float32)}])
    assert "has no feature 'image' that holds pictures" in refusal(copies, "numbers")
    declared = prepare(copies, "depth") / "features.json"
    assert '"uint8"' in declared.read_text()
    declared.write_text(declared.read_text().replace('"uint8"', '"float32"'))
    assert "has no feature 'image' that holds pictures of 8 or 16 bits" in refusal(copies, "depth")


def test_a_picture_that_is_too_large_names_its_set(copies, monkeypatch):
    prepare(copies)
    monkeypatch.setattr(picture_files, "MOST_PIXELS", 100)
    message = refusal(copies)
    assert message == "TFDS set 'mnist' has an unusable image: 28 x 28 is more than 100 pixels"


def test_a_set_without_images_to_train_on_is_refused(copies):
    import tensorflow_datasets as tfds

    features = {"image": tfds.features.Image(shape=(28, 28, 1))}
    examples = [{"image": image} for image in pictures(GREY_NHWC)]
    write(copies / "only_test" / "1.0.0", features, examples, split="test")
    message = refusal(copies, "only_test")
    assert "found only copies in another file format, or without images to train on" in message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "data.name must be the name of a set in TFDS, such as fashion_mnist or "),
        ({"name": "../mnist"}, "data.name must be the name"),
        ({"name": "*"}, "data.name must be the name"),
        ({"name": "fashion-mnist"}, "data.name must be the name"),
        ({"name": "a/b/c"}, "data.name must be the name"),
        ({"size": 30}, "data.size must be 0 or a multiple of 4 from 16 to 128, got 30"),
        ({"size": -4}, "data.size must be 0 or a multiple of 4 from 16 to 128, got -4"),
        ({"colour": "gray"}, "data.colour must be 'auto' or 'grey' or 'rgb', got 'gray'"),
    ],
)
def test_fields_that_make_no_sense_are_refused(fields, message):
    assert message in refusal(**fields)


def test_tensorflow_is_not_imported(tmp_path, copies):
    prepare(copies)
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('tensorflow was imported')")
    program = (
        "from jaxgen.data.images.tfds import Tfds; import sys; "
        f"Tfds(dir={str(copies)!r}, size=16).load(); "
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


def test_an_absent_copy_is_refused_at_once_with_what_to_do(copies):
    start = time.perf_counter()
    message = refusal(copies)
    assert f"no prepared TFDS copy of 'mnist' in array_record format under {copies};" in message
    assert "run `tfds build mnist --file_format=array_record`, then copy" in message
    assert "give data.dir; or, if this is one, set data.download" in message
    assert time.perf_counter() - start < 1


def test_a_copy_in_another_format_is_named(copies):
    copy = prepare(copies)
    for shard in copy.glob("*array_record*"):
        shard.rename(str(shard).replace("array_record", "tfrecord"))
    assert (
        f"found only copies in another file format, or without images to train on, in {copy})"
        in (refusal(copies))
    )


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
def test_a_damaged_copy_is_refused(copies, victim, damage):
    copy = prepare(copies)
    (path,) = copy.glob(victim)
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(JaxgenError, match="cannot read the TFDS copy") as raised:
        load(copies)
    assert str(copy) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("victim", ["dataset_info.json", "features.json", "*-00001"])
def test_a_pipe_in_a_copy_is_refused(copies, victim):
    copy = prepare(copies)
    (path,) = copy.glob(victim)
    path.unlink()
    os.mkfifo(path)  # to open it would wait for ever
    assert refusal(copies) == (
        f"{path} cannot be read (it is a pipe or a device, not a file); prepare the TFDS copy again"
    )


def test_what_tfds_says_is_shown_in_a_line(copies):
    copy = prepare(copies)
    path = copy / "dataset_info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": "\0" + "x" * 5000}))
    assert len(refusal(copies).replace(str(copy), "")) < 500


def test_the_missing_extra_is_named(copies, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(JaxgenError, match=r"pip install 'jaxgen\[tfds\]'"):
        load(copies)


@pytest.mark.parametrize("fields", [{}, {"size": 32}, {"colour": "rgb"}, {"train": 5}])
def test_a_copy_that_is_read_when_it_is_asked_for_has_the_same_images(copies, fields):
    grey_in_rgb = np.broadcast_to(GREY_NHWC, (*GREY_NHWC.shape[:3], 3))
    for name, images in (("mnist", GREY_NHWC), ("cifar10", RGB_NHWC), ("dull", grey_in_rgb)):
        prepare(copies, name, images=images)
        config = Tfds(name=name, dir=str(copies), **fields)
        opened, expected = open_images(config), load_images(config)
        assert opened.array is None
        assert opened.shape == expected["image"].shape[1:]
        np.testing.assert_array_equal(opened.label_N, expected["label"], strict=True)
        place = np.array([[4, 0], [1, 4]])
        np.testing.assert_array_equal(opened.gather(place), expected["image"][place])
        np.testing.assert_array_equal(opened.arrays()["image"], expected["image"])


def test_labels_of_a_copy_are_read_once_until_it_changes(copies, monkeypatch):
    copy = prepare(copies)
    config = Tfds(dir=str(copies))
    first = open_images(config)
    with monkeypatch.context() as patch:
        patch.setattr("jaxgen.data.images.tfds._survey", None)  # a second reading would call it
        np.testing.assert_array_equal(open_images(config).label_N, first.label_N)
        os.utime(next(copy.glob("*array_record*")), ns=(0, 1))
        with pytest.raises(JaxgenError):
            open_images(config)


def test_a_copy_that_is_damaged_while_it_is_used_is_told(copies):
    copy = prepare(copies)
    opened = open_images(Tfds(dir=str(copies)))
    for shard in copy.glob("*array_record*"):
        shard.write_bytes(bytes(byte ^ 1 for byte in shard.read_bytes()))
    with pytest.raises(JaxgenError, match=r"cannot read the TFDS copy .*; delete it and prepare"):
        opened.gather(np.array([1, 2]))


def test_training_on_a_copy_is_the_same_wherever_it_is_kept(tmp_path, copies, run_module):
    prepare(copies)
    ends = set()
    for keep in ("device", "stream"):
        run = tmp_path / keep
        flags = (
            f"--workdir {run} --data tfds --data.dir {copies} --keep-data {keep} --steps 3 "
            "--batch-size 4 --networks.generator-hidden 8 --networks.discriminator-hidden 8"
        )
        status, told = run_module("experiments.vanilla_gan", *flags.split())
        assert status == 0, told
        ends.add(json.loads((run / "summary.json").read_text())["parameters_sha256"])
    assert len(ends) == 1


def test_images_of_several_sizes_are_refused_before_they_are_trained_on(copies):
    images = [image[:, : 12 + row] for row, image in enumerate(RGB_NHWC)]
    prepare(copies, "celeb_a", images=images, shape=(None, None, 3))
    for colour in ("auto", "rgb"):
        with pytest.raises(JaxgenError, match=r"differ in size .12x12 and 12x13 among them"):
            open_images(Tfds(name="celeb_a", dir=str(copies), colour=colour))
    assert open_images(Tfds(name="celeb_a", dir=str(copies), size=16)).shape == (16, 16, 3)
