"""A folder of pictures as a data set, from files to a trained GAN."""

import os

import numpy as np
import pytest
from PIL import Image

import jaxgen
from jaxgen.data import cache, picture_files
from jaxgen.data.images import base as images
from jaxgen.data.images.base import ImagesConfig
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


def load(folder, **settings):
    return images.load(ImagesConfig(name="pictures", dir=str(folder), **settings))


@pytest.mark.parametrize("size", [28, 32, 64])
def test_grey_pictures_have_one_channel(tmp_path, size):
    fill(tmp_path, range(10))
    train = load(tmp_path, size=size)["train"]
    assert train["image"].shape == (10, size, size, 1)
    assert train["image"].dtype == np.uint8
    assert train["label"].dtype == np.int32
    assert train["label"].tolist() == [0] * 10
    values = train["image"][:, 0, 0, 0].tolist()
    assert sorted(values) == list(range(10))
    assert values != sorted(values)  # no split by the order of names


def test_one_picture_in_colour_makes_all_of_them_so(tmp_path):
    fill(tmp_path, [10, 20])
    fill(tmp_path, [101], colour=(2, 1, 0))
    assert load(tmp_path)["train"]["image"].shape == (3, 28, 28, 3)
    rgb = load(tmp_path, colour="rgb")["train"]["image"]
    assert [202, 101, 0] in rgb[:, 5, 5].tolist()
    grey = load(tmp_path, colour="grey")["train"]["image"]
    luma = round(0.299 * 202 + 0.587 * 101)  # ITU-R 601-2
    assert sorted(grey[:, 5, 5].tolist()) == [[10], [20], [luma]]


def test_sub_folders_are_classes_in_the_order_of_their_names(tmp_path):
    fill(tmp_path / "owls" / "snowy", [1, 2])
    fill(tmp_path / "cats", [11, 12, 13])
    (tmp_path / "empty").mkdir()
    (tmp_path / "readme.txt").touch()
    train = load(tmp_path)["train"]
    values = train["image"][:, 0, 0, 0]
    np.testing.assert_array_equal(train["label"], np.where(values > 10, 0, 1))


def test_the_splits_are_disjoint_and_the_same_each_time(tmp_path):
    fill(tmp_path, range(20))
    first, second = (load(tmp_path, train=12, validation=5) for _ in range(2))
    for split, size in (("train", 12), ("validation", 5)):
        assert len(first[split]["image"]) == size
        np.testing.assert_array_equal(first[split]["image"], second[split]["image"])
    both = np.concatenate([first[split]["image"][:, 0, 0, 0] for split in first])
    assert len(set(both.tolist())) == 17


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
    assert len(load(tmp_path)["train"]["image"]) == 4
    load(tmp_path, size=32)
    assert len(list(cache.folder().glob("pictures-*.npz"))) == 2


def test_broken_pictures_are_told_on_each_start(tmp_path, capsys):
    fill(tmp_path, [1, 2, 3])
    (tmp_path / "broken.jpg").write_text("not a picture")
    for _ in range(2):
        assert len(load(tmp_path)["train"]["image"]) == 3
        told = capsys.readouterr().err
        assert f"skipped {tmp_path / 'broken.jpg'}: " in told
        assert "1 of 4 pictures could not be used" in told


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


def test_settings_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(JaxgenError, match=r"give --data\.dir"):
        load("")
    with pytest.raises(JaxgenError, match="is not a folder"):
        load(tmp_path / "absent")
    with pytest.raises(JaxgenError, match="multiple of 4 from 16 to 128"):
        load(tmp_path, size=30)
    for setting in ({"size": 32}, {"colour": "rgb"}):
        with pytest.raises(JaxgenError, match="only 'pictures' are scaled and converted"):
            images.load(ImagesConfig(**setting))


def test_a_gan_trains_on_colours_and_is_sampled_but_not_evaluated(tmp_path, run_module):
    fill(tmp_path / "birds" / "jays", range(0, 80, 10), colour=(1, 2, 3))
    fill(tmp_path / "birds" / "owls", range(5, 85, 10), colour=(3, 1, 1))
    run = tmp_path / "run"
    flags = [
        *f"--workdir {run} --steps 2 --batch-size 4 --data.name pictures".split(),
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
    status, told = run_module("jaxgen.commands.evaluate", run)
    assert status == 2
    assert "no classifier of images of 32x32" in told
