"""A folder of pictures as a data set, from files to a trained GAN."""

import os
import threading

import numpy as np
import pytest
from PIL import Image

import jaxgen
from jaxgen.data import cache, picture_files
from jaxgen.data.images.base import load_images
from jaxgen.data.images.pictures import Pictures
from jaxgen.errors import JaxgenError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def fill(folder, values, colour=(1, 1, 1)):
    """One even picture, 20 x 30, for each value."""
    folder.mkdir(parents=True, exist_ok=True)
    for value in values:
        pixels = np.broadcast_to(np.uint8(value * np.array(colour)), (20, 30, 3))
        Image.fromarray(pixels).save(folder / f"{value:03d}.png")


def load(folder, **fields):
    return load_images(Pictures(dir=str(folder), **fields))


@pytest.mark.parametrize("size", [28, 32, 64])
def test_grey_pictures_have_one_channel(tmp_path, size):
    fill(tmp_path, range(10))
    data = load(tmp_path, size=size)
    assert data["image"].shape == (10, size, size, 1)
    assert data["image"].dtype == np.uint8
    assert data["label"].dtype == np.int32
    assert data["label"].tolist() == [0] * 10
    values = data["image"][:, 0, 0, 0].tolist()
    assert sorted(values) == list(range(10))
    assert values != sorted(values)  # no split by the order of names


def test_one_picture_in_colour_makes_all_of_them_so(tmp_path):
    fill(tmp_path, [10, 20])
    fill(tmp_path, [101], colour=(2, 1, 0))
    assert load(tmp_path)["image"].shape == (3, 28, 28, 3)
    rgb = load(tmp_path, colour="rgb")["image"]
    assert [202, 101, 0] in rgb[:, 5, 5].tolist()
    grey = load(tmp_path, colour="grey")["image"]
    luma = round(0.299 * 202 + 0.587 * 101)  # ITU-R 601-2
    assert sorted(grey[:, 5, 5].tolist()) == [[10], [20], [luma]]


def test_sub_folders_are_classes_in_the_order_of_their_names(tmp_path):
    fill(tmp_path / "owls" / "snowy", [1, 2])
    fill(tmp_path / "cats", [11, 12, 13])
    (tmp_path / "empty").mkdir()
    (tmp_path / "readme.txt").touch()
    data = load(tmp_path)
    values = data["image"][:, 0, 0, 0]
    np.testing.assert_array_equal(data["label"], np.where(values > 10, 0, 1))


def test_the_order_is_the_same_each_time_and_the_first_are_for_training(tmp_path):
    fill(tmp_path, range(20))
    whole, first = load(tmp_path), load(tmp_path, train=12)
    assert len(first["image"]) == len(first["label"]) == 12
    np.testing.assert_array_equal(first["image"], whole["image"][:12])
    assert sorted(whole["image"][:, 0, 0, 0].tolist()) == list(range(20))


def test_pictures_are_read_once_until_a_file_changes(tmp_path, monkeypatch):
    fill(tmp_path, [1, 2, 3])
    (tmp_path / "broken.png").touch()
    counted = []
    read = picture_files.read
    monkeypatch.setattr(picture_files, "read", lambda *args: (counted.append(args), read(*args))[1])
    load(tmp_path)
    assert len(counted) == 4
    load(tmp_path)
    assert len(counted) == 4
    path = tmp_path / "002.png"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    load(tmp_path)
    assert len(counted) == 8
    fill(tmp_path, [4])
    assert len(load(tmp_path)["image"]) == 4
    load(tmp_path, size=32)
    assert len(list(cache.folder().glob("pictures-*.npz"))) == 2


def test_broken_pictures_are_told_on_each_start(tmp_path, capsys):
    fill(tmp_path, [1, 2, 3])
    (tmp_path / "broken.jpg").write_text("not a picture")
    for _ in range(2):
        assert len(load(tmp_path)["image"]) == 3
        told = capsys.readouterr().err
        assert f"skipped {tmp_path / 'broken.jpg'}: " in told
        assert "1 of 4 pictures could not be used" in told


def test_a_link_to_nowhere_and_a_pipe_are_broken_pictures(tmp_path, capsys):
    fill(tmp_path, [1, 2, 3])
    (tmp_path / "gone.png").symlink_to(tmp_path / "absent")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    loaded = []
    reader = threading.Thread(target=lambda: loaded.append(load(tmp_path)), daemon=True)
    reader.start()
    reader.join(60)  # to open a pipe would wait for ever
    assert len(loaded[0]["image"]) == 3
    told = capsys.readouterr().err
    for name in ("gone", "loop", "pipe"):
        assert f"skipped {tmp_path / name}.png: it is not a file" in told
    (tmp_path / "gone.png").unlink()
    fill(tmp_path, [4])
    assert len(load(tmp_path)["image"]) == 4


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "has no pictures: no files that end in .png"),
        (["a.png"], "has too few pictures that can be read, 1: give at least 2"),
        (["a/1.png", "a/2.png", "b/1.png"], "b has too few .* or remove the sub-folder"),
        (["a/1.png", "a/2.png", "b.png"], r"both pictures \(b.png\) and sub-folders .*\(a\)"),
    ],
)
def test_too_few_pictures_are_refused(tmp_path, files, message):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / file)
    with pytest.raises(JaxgenError, match=message):
        load(tmp_path)


def test_fields_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(JaxgenError, match=r"needs the folder with the pictures: give data\.dir"):
        load("")
    with pytest.raises(JaxgenError, match=r"data\.dir .*absent is not a folder"):
        load(tmp_path / "absent")
    for size in (30, 12, 132, 0, -28):
        with pytest.raises(JaxgenError, match=rf"multiple of 4 from 16 to 128, got {size}$"):
            load(tmp_path, size=size)
    with pytest.raises(
        JaxgenError, match=r"data\.colour must be 'auto' or 'grey' or 'rgb', got 'g"
    ):
        load(tmp_path, colour="gray")


def test_a_gan_trains_on_colours_and_is_sampled_but_not_evaluated(tmp_path, run_module):
    fill(tmp_path / "birds" / "jays", range(0, 80, 10), colour=(1, 2, 3))
    fill(tmp_path / "birds" / "owls", range(5, 85, 10), colour=(3, 1, 1))
    run = tmp_path / "run"
    flags = [
        *f"--workdir {run} --steps 2 --batch-size 4 --data pictures".split(),
        *f"--data.dir {tmp_path / 'birds'} --data.size 32 --networks.hidden 8".split(),
        *"--networks.generator-channels 4 4 --networks.discriminator-channels 2 2".split(),
    ]
    status, told = run_module("experiments.conditional_dcgan", *flags, "--evaluate-every", 1)
    assert status == 2
    assert "32x32 pixels and 3 channels" in told and "without --evaluate-every" in told
    assert not run.exists()
    status, told = run_module("experiments.conditional_dcgan", *flags)
    assert status == 0
    with Image.open(run / "samples" / "step_000002.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (320, 64))  # a row for each class
    assert "diversity" in (run / "metrics.csv").read_text().splitlines()[0]
    assert jaxgen.load(run).sample(n=3).shape == (3, 32, 32, 3)
    status, told = run_module("jaxgen", "evaluate", run)
    assert status == 2
    assert "no classifier of these images of 32x32" in told
