"""`jaxgen sample`: what it says when it does something else than was asked, and what it refuses."""

import io
import re
import sys

import jax
import numpy as np
import pytest
from flax.serialization import to_state_dict
from PIL import Image

from jaxgen.commands import sample
from jaxgen.commands.run_argument import RunArgument
from jaxgen.errors import JaxgenError
from jaxgen.gan.config import AboutImages, GanConfig
from jaxgen.gan.networks.mlp import MLP
from jaxgen.training.task import Saved

ABOUT = {"image_shape": [28, 28, 1], "classes": 10, "examples": 8}


@pytest.fixture(autouse=True)
def run(monkeypatch, tmp_path):
    config = GanConfig(
        workdir="",
        steps=1,
        batch_size=8,
        noise_size=5,
        conditional=True,
        networks=MLP(generator_hidden=(6,), discriminator_hidden=(5,)),
    )
    gan = config.gan(AboutImages((28, 28, 1), 10, 8))
    model = config.restored(Saved(to_state_dict(jax.jit(gan.init)(jax.random.key(1), {})), ABOUT))
    monkeypatch.setattr(RunArgument, "opened", lambda self: model)
    monkeypatch.chdir(tmp_path)
    return model


@pytest.mark.parametrize(
    ("flags", "images", "sentence"),
    [
        ("--labels 1 2 3 --n 2 --out a.npz", 2, "--n 2: there are more --labels, of which only"),
        ("--interpolate --n 3 --out a.npz", 10, "--n 3: rows of 10 make 10 images"),
        ("--n 3 --columns 9999", 3, "--columns 9999: the grid has 3, as there are 3 images"),
    ],
)
def test_another_number_than_was_asked_for_is_said(capsys, flags, images, sentence):
    assert sample.main(["run", *flags.split()]) == 0
    told = capsys.readouterr()
    devices, note = told.err.splitlines()
    assert devices.startswith("devices: ")
    assert note.startswith(f"note: {sentence}")
    assert told.out.startswith(f"{images} samples in ")


def test_what_was_asked_for_is_done_without_a_word(capsys, run):
    assert sample.main(["run", "--n", "30", "--out", "a.npz"]) == 0
    assert re.fullmatch(r"devices: .*\n", capsys.readouterr().err)
    with np.load("a.npz") as made:
        np.testing.assert_array_equal(made["labels"], np.repeat(np.arange(10), 3))
        again = run.sample(seed=0, n=30, labels=made["labels"])
        np.testing.assert_array_equal(made["images"], again[..., 0])


def test_truncated_samples_are_the_models_and_truncation_is_refused_elsewhere(run, monkeypatch):
    assert sample.main("run --n 10 --truncation 0.5 --seed 3 --out a.npz".split()) == 0
    with np.load("a.npz") as made:
        again = run.sample(seed=3, labels=np.arange(10), truncation=0.5)
        np.testing.assert_array_equal(made["images"], again[..., 0])
    with pytest.raises(JaxgenError, match="truncation must be above 0 and at most 1"):
        sample.main("run --n 2 --truncation 2 --out a.npz".split())
    monkeypatch.setattr(type(run), "most_truncation", None)
    with pytest.raises(JaxgenError, match="run holds a model whose noise is not truncated"):
        sample.main("run --n 2 --truncation 0.5 --out a.npz".split())


@pytest.mark.parametrize(
    ("flags", "size", "side"),
    [
        ("--out a.webp --n 300 --columns 1", "64 x 18004", "16383"),
        ("--out a.webp --n 273 --columns 1", "64 x 16384", "16383"),
        ("--out a.gif --n 1200 --columns 1", "64 x 72004", "65535"),
        ("--out a.jpg --n 1200 --columns 1200", "72004 x 64", "65535"),
        ("--out a.png --n 1000000", "604 x 6000004", "65535"),
        ("--out a.bmp --n 100000 --columns 300", "18004 x 20044", "65535"),
    ],
)
def test_a_picture_that_its_type_does_not_hold_is_refused_before_it_is_drawn(
    monkeypatch, run, tmp_path, flags, size, side
):
    drawn = run.sample
    monkeypatch.setattr(run, "sample", lambda seed, n, labels: drawn(seed, n, labels[:1]))
    words = f"a picture of {size} pixels is larger than {side} pixels a side"
    with pytest.raises(JaxgenError, match=words):
        sample.main(["run", *flags.split()])
    assert not list(tmp_path.iterdir())


def test_the_largest_picture_of_a_type_is_written():
    assert sample.main(["run", "--n", "272", "--columns", "1", "--out", "a.webp"]) == 0
    with Image.open("a.webp") as picture:
        assert picture.size == (64, 16324)


def test_a_name_that_the_terminal_cannot_show_is_told_in_escapes(monkeypatch, tmp_path):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    assert sample.main(["run", "--n", "1", "--out", "\u00e9\udcff.png"]) == 0
    sys.stdout.flush()
    assert printed.getvalue() == b"1 samples in \\xe9\\udcff.png\n"
    assert [path.name for path in tmp_path.iterdir()] == ["\u00e9\udcff.png"]


@pytest.mark.parametrize("name", ["a.png", "a.npz", "a.webp"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(b"old")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)  # the last that is done before the file is moved
    with pytest.raises(OSError, match="No space"):
        sample.main(["run", "--n", "3", "--out", name])
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"old")]
