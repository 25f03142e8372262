import functools
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxgen.data.images.base import load_images, to_model_range
from jaxgen.data.images.idx import Idx
from jaxgen.data.images.mnist5k import Mnist5k
from jaxgen.errors import JaxgenError
from jaxgen.metrics.samples import classes, classifier, classifier_training

DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")


@functools.cache
def held_out_digits():
    """The images of mnist5k that the shipped weights never saw: every tenth."""
    data = load_images(Mnist5k())
    return to_model_range(data["image"][9::10]), data["label"][9::10]


@pytest.fixture
def copied_weights(tmp_path, monkeypatch):
    """A folder with a copy of the digits' weights, which `load` reads until the test ends."""
    source = classifier.WEIGHTS / "digits.npz"
    (tmp_path / "digits.npz").write_bytes(source.read_bytes())
    monkeypatch.setattr(classifier, "WEIGHTS", tmp_path)
    classifier.load.cache_clear()
    yield tmp_path / "digits.npz"
    classifier.load.cache_clear()


def write_idx(folder, images_NHW, labels_N):
    for name, array in (("images-idx3", images_NHW), ("labels-idx1", labels_N)):
        header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4) for n in array.shape)
        with gzip.open(folder / f"train-{name}-ubyte.gz", "wb") as file:
            file.write(header + array.astype(np.uint8).tobytes())


def test_shipped_weights_know_digits_that_they_never_saw():
    images, labels = held_out_digits()
    _, logits = classifier.load("digits").features_and_logits(images)
    assert classes.accuracy(logits, labels) >= 0.98  # measured: 0.990


@pytest.mark.skipif(not DEBIAN_FASHION.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_shipped_weights_know_clothes_that_they_never_saw():
    data = load_images(Idx(train=20_000, dir=str(DEBIAN_FASHION)))
    images, labels = to_model_range(data["image"][9::10]), data["label"][9::10]
    known = classifier.for_data(images, labels)
    assert known.name == "fashion"
    _, logits = known.features_and_logits(images)
    # Measured: 0.9015; 0.9067 over the 6,000.
    assert classes.accuracy(logits, labels) >= 0.89


def test_features_do_not_depend_on_the_batch():
    images, _ = held_out_digits()
    digits = classifier.load("digits")
    features, logits = digits.features_and_logits(np.concatenate([images, images[:3]]))
    assert features.shape == (503, classifier.FEATURES)
    assert logits.shape == (503, classifier.CLASSES)
    assert features.dtype == logits.dtype == np.float32
    np.testing.assert_array_equal(features[500:], features[:3])
    alone_features, alone_logits = digits.features_and_logits(images[1:2, :, :, 0])
    np.testing.assert_array_equal(alone_features, features[1:2])
    np.testing.assert_array_equal(alone_logits, logits[1:2])


def test_features_are_alive_and_differ_between_images():
    images, _ = held_out_digits()
    features, _ = classifier.load("digits").features_and_logits(images)
    assert (features >= 0).all()
    assert (features.std(0) > 1e-3).sum() >= 32


def test_for_data_picks_the_classifier_that_agrees_with_the_labels():
    images, labels = held_out_digits()
    assert classifier.for_data(images, labels).name == "digits"
    with pytest.raises(JaxgenError, match=r"no classifier knows these images: .*digits with \d%"):
        classifier.for_data(images, (labels + 1) % 10)


def test_unknown_name_is_refused():
    with pytest.raises(JaxgenError, match="no classifier 'cats'; choose digits or fashion"):
        classifier.load("cats")


def test_one_changed_byte_in_the_weights_is_refused(copied_weights):
    classifier.load("digits")
    classifier.load.cache_clear()
    content = bytearray(copied_weights.read_bytes())
    content[len(content) // 2] ^= 1
    copied_weights.write_bytes(content)
    with pytest.raises(JaxgenError, match=r"digits\.npz is not the file that came with jaxgen"):
        classifier.load("digits")


def test_absent_weights_are_refused(copied_weights):
    copied_weights.unlink()
    with pytest.raises(JaxgenError, match=r"cannot read .*digits\.npz .*reinstall jaxgen"):
        classifier.load("digits")


def test_weights_are_plain_arrays_and_small():
    for name in classifier.SHA256:
        path = classifier.WEIGHTS / f"{name}.npz"
        assert path.stat().st_size < 500_000
        with np.load(path, allow_pickle=False) as file:
            assert {file[key].dtype for key in file.files} == {np.dtype(np.float16)}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 28, 28, 1)), "expected"),
        (np.zeros((2, 784)), r"shape \(2, 784\)"),
        (np.zeros((2, 28, 28, 3)), r"shape \(2, 28, 28, 3\)"),
        (np.full((2, 28, 28, 1), 255, np.uint8), r"range from 255 to 255: scale them to \[-1, 1\]"),
        (np.full((2, 28, 28), np.nan), "image 0 has values that are not finite"),
    ],
)
def test_images_that_cannot_be_classified_are_refused(images, message):
    with pytest.raises(JaxgenError, match=message):
        classifier.load("digits").features_and_logits(images)


def test_training_learns_and_writes_weights_that_the_network_reads(tmp_path, capsys, monkeypatch):
    # Class c is a bright column at 3 + 2 c: learnt in a few steps.
    labels = np.random.default_rng(0).integers(0, 10, 400)
    images = np.zeros((400, 28, 28))
    images[np.arange(400), :, 3 + 2 * labels] = 255
    write_idx(tmp_path, images, labels)
    out = tmp_path / "digits.npz"
    config = classifier_training.ClassifierTraining(
        data=Idx(dir=str(tmp_path)),
        out=str(out),
        steps=60,
        batch=32,
        shift=0.0,
        distortion=0.0,
    )
    classifier_training.main(config)
    printed = capsys.readouterr().out
    accuracy, sha256 = printed.split("images ")[1].split(",")[0], printed.split()[-1]
    assert float(accuracy) > 0.9

    monkeypatch.setattr(classifier, "WEIGHTS", tmp_path)
    monkeypatch.setitem(classifier.SHA256, "digits", sha256)
    classifier.load.cache_clear()
    trained = classifier.load("digits")
    classifier.load.cache_clear()
    _, logits = trained.features_and_logits(images[9::10] / 127.5 - 1)
    assert classes.accuracy(logits, labels[9::10]) == pytest.approx(float(accuracy))


def test_training_command_refuses_bad_data_in_one_sentence(tmp_path):
    command = [
        sys.executable,
        "-m",
        "jaxgen.metrics.samples.classifier_training",
        "--data",
        "nothing",
    ]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert "--data nothing: there is no such data set" in ended.stderr
    assert "Traceback" not in ended.stderr
