"""A packed set as images, from files to a trained GAN."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import jaxgen
from benchmarks import local_jobs
from jaxgen.data.images.base import load_images, open_images
from jaxgen.data.images.packed import Packed
from jaxgen.data.images.pictures import Pictures
from jaxgen.data.streaming.packed_set import PackedSet
from jaxgen.errors import JaxgenError
from jaxgen.training.image_source import image_source
from jaxgen.training.task import TrainConfig
from tests.data.packing.folders import fill, packed


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def both(tmp_path, **fields):
    """What `--data pictures` makes of a folder, and `--data packed` of its packed form."""
    if not (tmp_path / "set").exists():
        packed(tmp_path / "pictures", tmp_path / "set")
    pictures = load_images(Pictures(dir=str(tmp_path / "pictures"), **fields))
    return pictures, Packed(dir=str(tmp_path / "set"), **fields)


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("fields", [{}, {"size": 64}, {"colour": "grey"}, {"colour": "rgb"}])
def test_images_are_those_of_the_pictures_to_the_last_bit(tmp_path, grey, fields):
    fill(tmp_path / "pictures", grey=grey)
    expected, config = both(tmp_path, **fields)
    opened = open_images(config)
    assert opened.array is None
    loaded = load_images(config)
    for name, array in expected.items():
        np.testing.assert_array_equal(loaded[name], array)
        np.testing.assert_array_equal(opened.arrays()[name], array)
    assert opened.shape == expected["image"].shape[1:]
    place = np.array([[3, 0, 29], [3, 7, 1]])
    np.testing.assert_array_equal(opened.gather(place), expected["image"][place])


def test_pictures_of_every_kind_and_large_ones(tmp_path, monkeypatch):
    folder = fill(tmp_path / "pictures", 4)
    pixels = np.random.default_rng(0).integers(0, 256, (400, 300, 4), np.uint8)
    Image.fromarray(pixels).save(folder / "cats" / "transparent.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(folder / "cats" / "deep.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels[..., :3]).save(folder / "owls" / "turned.jpg", exif=turned, quality=90)
    monkeypatch.setattr("jaxgen.data.picture_files.MOST_IN_THREADS", 2000)
    expected, config = both(tmp_path, size=32)
    np.testing.assert_array_equal(load_images(config)["image"], expected["image"])


def test_the_first_are_for_training_and_it_is_said(tmp_path, capsys):
    fill(tmp_path / "pictures", 20)
    _, config = both(tmp_path, train=12)
    opened = open_images(config)
    assert len(opened) == len(opened.arrays()["image"]) == 12
    assert "data.train 12: the set has 20 images, the first 12 are used" in capsys.readouterr().err


def test_what_cannot_be_used_is_refused(tmp_path):
    fill(tmp_path / "pictures", 6)
    _, config = both(tmp_path)
    with pytest.raises(JaxgenError, match=r"needs the folder with the set that `jaxgen pack` made"):
        open_images(Packed())
    with pytest.raises(JaxgenError, match="is no packed set"):
        open_images(Packed(dir=str(tmp_path / "pictures")))
    with pytest.raises(JaxgenError, match=r"multiple of 4 from 16 to 128, got 30$"):
        open_images(Packed(dir=config.dir, size=30))
    for path in sorted((tmp_path / "pictures" / "owls").iterdir())[1:]:
        path.unlink()
    packed(tmp_path / "pictures", tmp_path / "few")
    with pytest.raises(JaxgenError, match=r"class 'owls' of .*few has too few pictures, 1"):
        open_images(Packed(dir=str(tmp_path / "few")))


def test_one_picture_of_many_tells_streamed_sets_apart(tmp_path):
    """As the processes of a job are compared: it is none of those that are looked at."""

    def digest(folder):
        config = TrainConfig(workdir="", steps=2, batch_size=4, keep_data="stream")
        return image_source(Packed(dir=str(folder), size=16), config)[1].digest()

    pictures = fill(tmp_path / "pictures", 130)
    for out in ("set", "same"):
        packed(pictures, tmp_path / out)
    name = PackedSet.opened(tmp_path / "set").example(1).name
    Image.new("RGB", (40, 36)).save(pictures / name)
    packed(pictures, tmp_path / "other")
    first, same, other = (digest(tmp_path / out) for out in ("set", "same", "other"))
    assert first == same != other


COUNTING = """
import atexit, sys
from jaxgen.data.streaming.packed_set import PackedSet

decoded, examples = [], PackedSet.examples
PackedSet.examples = lambda self, places: (decoded.extend(places), examples(self, places))[1]
atexit.register(lambda: print("decoded", len(decoded)))
sys.argv[0] = "vanilla_gan"
from experiments import vanilla_gan
from jaxgen.commands import cli
cli.main(vanilla_gan.config, "")
"""

TINY = (
    "--data.size 16 --steps 5 --batch-size 4 --log-every 2 --checkpoint-every 3 --data packed"
    " --networks.generator-hidden 8 --networks.discriminator-hidden 8"
).split()


def test_training_is_the_same_to_the_last_bit_wherever_the_data_are(tmp_path, run_module):
    fill(tmp_path / "pictures", 24)
    packed(tmp_path / "pictures", tmp_path / "set")
    ends = {}
    for keep in ("device", "host", "stream"):
        run = tmp_path / keep
        flags = [*TINY, "--workdir", run, "--data.dir", tmp_path / "set", "--keep-data", keep]
        status, told = run_module("experiments.vanilla_gan", "--conditional", *flags)
        assert status == 0, told
        ends[keep] = (
            json.loads((run / "summary.json").read_text())["parameters_sha256"],
            (run / "metrics.csv").read_text(),
        )
    assert len(set(ends.values())) == 1
    assert jaxgen.load(tmp_path / "stream").sample(n=2).shape == (2, 16, 16, 3)
    # It may change when a run goes on.
    flags = [*TINY, "--workdir", tmp_path / "host", "--data.dir", tmp_path / "set", "--steps", 7]
    status, told = run_module(
        "experiments.vanilla_gan", "--conditional", *flags, "--keep-data", "stream"
    )
    assert status == 0, told


def test_a_damaged_set_is_refused_before_and_while_it_is_trained_on(tmp_path, run_module):
    fill(tmp_path / "pictures", 24)
    packed(tmp_path / "pictures", tmp_path / "set")
    (shard,) = (tmp_path / "set").glob("part-*")
    flags = [*TINY, "--workdir", tmp_path / "run", "--data.dir", tmp_path / "set"]
    flags += ["--keep-data", "stream"]
    whole = shard.read_bytes()
    damaged = bytearray(whole)
    damaged[whole.find(b"JGP1" + bytes(4) + (5).to_bytes(4, "little")) + 70] ^= 4
    shard.write_bytes(damaged)
    status, told = run_module("experiments.vanilla_gan", *flags)
    assert status == 2 and f"{shard} is altered at record 5 of 24" in told
    assert "Traceback" not in told and not (tmp_path / "run").exists()
    # Found sound, then altered without a trace in the file's times.
    shard.write_bytes(whole)
    times = shard.stat().st_atime_ns, shard.stat().st_mtime_ns
    open_images(Packed(dir=str(tmp_path / "set")))
    shard.write_bytes(damaged)
    os.utime(shard, ns=times)
    status, told = run_module("experiments.vanilla_gan", *flags, "--steps", 6)
    assert status == 2 and f"{shard} record 5 of 24 is damaged" in told
    assert "Traceback" not in told
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    os.truncate(shard, len(whole) // 3)
    status, told = run_module("experiments.vanilla_gan", *flags)
    assert status == 2 and f"{shard} is truncated from record " in told


def test_a_set_that_is_loaded_whole_does_not_stream(tmp_path, run_module):
    flags = ["--workdir", tmp_path / "run", "--steps", 1, "--keep-data", "stream"]
    status, told = run_module("experiments.vanilla_gan", *flags)
    assert status == 2
    assert "--keep-data stream: this set is loaded whole; pack the pictures (`jaxgen pack`)" in told


@pytest.mark.long
def test_two_processes_read_a_slice_each_and_train_as_one(tmp_path, run_module):
    """Those of one command line each; the examples of a step are divided, which changes none."""
    fill(tmp_path / "pictures", 24)
    packed(tmp_path / "pictures", tmp_path / "set")
    flags = [*TINY, "--data.dir", str(tmp_path / "set"), "--keep-data", "stream"]
    command = [sys.executable, "-c", COUNTING, *flags, "--workdir", str(tmp_path / "two")]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = local_jobs.start([command] * 2, devices=1, **piped)
    told = [process.communicate(timeout=200) for process in started]
    status, said = run_module("experiments.vanilla_gan", *flags, "--workdir", tmp_path / "one")
    assert status == 0, said
    assert [process.returncode for process in started] == [0, 0], told
    one, two = (
        np.genfromtxt(tmp_path / run / "metrics.csv", delimiter=",", names=True)["d_loss"]
        for run in ("one", "two")
    )
    np.testing.assert_allclose(one, two, rtol=1e-4)
    # 2 of each 4 examples in 4 chunks of 2 steps, of the first step for its shape and initialising;
    # and all 24 for the hash that the processes compare, and to compare samples with.
    for output, _ in told:
        assert int(output.split("decoded ")[1].split()[0]) <= 2 * (4 * 2 + 3) + 2 * 24
