"""`jaxgen project`, `directions`, `nearest`, and the walks of `jaxgen sample`."""

import shlex

import numpy as np
import pytest
from PIL import Image

from jaxgen.commands import directions, nearest, project, sample
from jaxgen.commands.run_argument import RunArgument
from jaxgen.display import live
from jaxgen.errors import JaxgenError
from tests.gan.latents.conftest import restored

COMMANDS = {"project": project, "directions": directions, "nearest": nearest, "sample": sample}


@pytest.fixture(scope="module")
def models():
    return {"plain": restored(), "conditional": restored(conditional=True), "other": object()}


@pytest.fixture(autouse=True)
def command(monkeypatch, tmp_path, capsys, models):
    """Runs a line; returns its status and what it said, but for devices and progress."""
    monkeypatch.setattr(RunArgument, "opened", lambda self: models[self.run])
    # How far it is, which only slow machines show.
    monkeypatch.setattr(live.Plain, "show", lambda self, line: None)
    monkeypatch.chdir(tmp_path)

    def run(line):
        name, *words = shlex.split(line)
        status = COMMANDS[name].main(words)
        told = capsys.readouterr()
        errors = [line for line in told.err.splitlines() if not line.startswith("devices: ")]
        return status, told.out, "\n".join(errors)

    return run


def picture(name, mode="L", size=(16, 16), **options):
    rng = np.random.default_rng(len(name))
    image = Image.fromarray(rng.integers(0, 90, (*size[::-1], 3), np.uint8))
    image.convert(mode).save(name, **options)


def test_pictures_of_every_kind_are_projected_and_broken_ones_told(command, models):
    picture("a.png")
    picture("wide.jpg", "RGB", (90, 40))
    picture("clear.png", "RGBA", (31, 31))
    Image.fromarray(np.full((20, 20), 9000, np.uint16)).save("deep.png")
    with open("broken.png", "wb") as broken, open("a.png", "rb") as sound:
        broken.write(sound.read()[:60])
    names = "a.png broken.png wide.jpg clear.png gone.png deep.png"
    line = f"project plain {names} --steps 3 --restarts 2"
    status, told, errors = command(f"{line} --stages 4 --out way.npz")
    assert status == 0
    assert "skipped broken.png: " in errors
    assert "skipped gone.png: it is not a file" in errors
    assert "2 of 6 pictures could not be used" in errors
    assert "note: images of 16x16 pixels and 1 channels have no classifier" in errors
    lines = told.splitlines()
    assert [line.split(":")[0] for line in lines[:4]] == names.replace("broken.png ", "").replace(
        "gone.png ", ""
    ).split()
    assert lines[4] == "4 projections in way.npz"
    with np.load("way.npz") as file:
        assert file["way"].shape == (4, 4, 16, 16, 1)
        made = models["plain"].generate(file["noise"])
        np.testing.assert_allclose(made, file["images"], atol=1e-5)
        np.testing.assert_allclose(file["way"][:, -1], file["images"])
        with Image.open("a.png") as given:
            expected = np.asarray(given, np.float32) / 127.5 - 1
        np.testing.assert_allclose(file["pictures"][0, ..., 0], expected, atol=1e-6)
    line = "project plain a.png --steps 3 --restarts 2 --features none --negative"
    assert command(line)[::2] == (0, "")
    with Image.open("projected.png") as shown:
        assert shown.size[0] > 5 * 32
        assert np.asarray(shown).std() > 10


def test_a_picture_turns_as_its_exif_data_say_and_changes_sides(command):
    upright = np.zeros((16, 16), np.uint8)
    upright[:8] = 200
    exif = Image.Exif()
    exif[0x112] = 6  # the top is on the right
    turned = Image.fromarray(np.rot90(upright)).convert("L")
    turned.save("turned.png", exif=exif)
    line = "project conditional turned.png --labels 2 --steps 1 --restarts 1 --features none"
    command(f"{line} --out a.npz")
    command(f"{line} --out b.npz --negative")
    with np.load("a.npz") as file, np.load("b.npz") as other:
        np.testing.assert_allclose(file["pictures"][0, ..., 0], upright / 127.5 - 1, atol=1e-6)
        np.testing.assert_allclose(other["pictures"], -file["pictures"], atol=1e-6)
        np.testing.assert_array_equal(file["labels"], [2])


def test_a_negative_is_noted(command, models):
    made = models["plain"].sample(seed=0, n=1)[0, ..., 0]
    negative = np.uint8(np.rint((1 - made) * 127.5))
    Image.fromarray(negative).save("a.png")
    line = "project plain a.png --steps 1 --restarts 1 --features none"
    assert "a.png: nearer to samples with black and white exchanged" in command(line)[2]
    assert command(f"{line} --negative")[2] == ""


def test_directions_are_drawn_or_written(command, models):
    status, told, errors = command("directions plain --n 9 --columns 5 --out d.npz --seed 4")
    assert status == 0
    assert told == "6 directions, 100% of the first layer's gain, in d.npz\n"
    assert errors == "note: --n 9: the noise has 6 numbers, and no more directions"
    with np.load("d.npz") as file:
        assert file["images"].shape == (6, 5, 16, 16, 1)
        np.testing.assert_allclose(file["strengths"], [-3, -1.5, 0, 1.5, 3])
        unmoved = models["plain"].sample(seed=4, n=1)[0]
        np.testing.assert_allclose(file["images"][3, 2], unmoved, atol=1e-5)
    assert command("directions conditional --n 2 --label 1 --out d.webp")[0] == 0
    with Image.open("d.webp") as shown:
        assert np.asarray(shown).std() > 10


def test_neighbours_are_drawn_and_told(command):
    status, told, errors = command("nearest plain --n 20 --rows 3 --neighbours 2 --features none")
    assert (status, errors) == (0, "")
    assert told.startswith("20 samples, 400 training images, 200 held-out ones;")
    assert told.endswith("picture nearest.png\n")
    with Image.open("nearest.png") as shown:
        assert shown.size[0] > 2 * 3 * 32
        assert np.asarray(shown).std() > 10


def test_ways_are_drawn_between_classes_and_along_walks(command, models):
    line = "sample conditional --between 0 2 --n 10 --columns 5 --seed 3 --out a.npz"
    assert command(line) == (0, "10 samples in a.npz\n", "")
    with np.load("a.npz") as file:
        rows = file["images"].reshape(2, 5, 16, 16, 1)
    noise, model = models["conditional"].noise(2, seed=3), models["conditional"]
    for column, label in ((0, 0), (4, 2)):
        ends = model.generate(noise, [label] * 2)
        np.testing.assert_allclose(rows[:, column], ends, atol=1e-5)
    half = model.generate(noise, np.array([[0.5, 0, 0.5]] * 2))
    np.testing.assert_allclose(rows[:, 2], half, atol=1e-5)
    made = {}
    for flags in ("--interpolate", "--walk linear", "--interpolate --walk spherical"):
        assert command(f"sample plain {flags} --n 10 --out a.npz")[0] == 0
        with np.load("a.npz") as file:
            made[flags] = file["images"]
    plain, linear, spherical = made.values()
    np.testing.assert_array_equal(plain, linear)
    np.testing.assert_allclose(spherical[[0, 9]], linear[[0, 9]], atol=1e-5)
    assert np.abs(spherical - linear).max() > 0.05


def test_truncation_reaches_what_is_drawn(command, models):
    model, cut = models["conditional"], {"truncation": 0.3}
    line = "sample conditional --between 0 2 --n 2 --columns 2 --truncation 0.3 --out a.npz"
    assert command(line)[0] == 0
    with np.load("a.npz") as file:
        ends = model.generate(model.noise(1, **cut).repeat(2, 0), [0, 2])
        np.testing.assert_allclose(file["images"], ends[..., 0], atol=1e-5)
    line = "sample conditional --walk spherical --n 10 --truncation 0.3 --out a.npz"
    assert command(line)[0] == 0
    with np.load("a.npz") as file:
        ends = model.generate(model.noise(2, **cut), [0, 0])
        np.testing.assert_allclose(file["images"][[0, 9]], ends[..., 0], atol=1e-5)
    assert command("directions conditional --n 1 --columns 3 --truncation 0.3 --out a.npz")[0] == 0
    with np.load("a.npz") as file:
        unmoved = model.generate(model.noise(1, **cut), [0])
        np.testing.assert_allclose(file["images"][0, 1], unmoved[0], atol=1e-5)
    compared = model.nearest(5, 2, features="none", **cut)
    np.testing.assert_allclose(compared.samples, model.sample(n=5, **cut), atol=1e-6)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("project plain", "name the pictures to look for"),
        ("project plain " + "x " * 1001, "1001 pictures: give at most 1000"),
        ("project plain a b c --labels 1 2", "3 pictures need as many --labels, or one for all"),
        ("project plain a", "a picture cannot be read: a: it is not a file"),
        (
            "project plain a b c",
            "a: it is not a file, or a link to one that is gone, and neither can ",
        ),
        ("project plain real.png --labels 1", "not conditional"),
        ("project conditional real.png --labels 3", "labels must be from 0 to 2"),
        ("project plain real.png --features fashion", "fashion sees 28x28 grey ones"),
        ("project plain a --out a.txt", "the name must end in"),
        ("project other a", "holds no generator"),
        ("project plain a --learning-rate 0", "must be in"),
        ("directions other", "holds no generator"),
        ("directions conditional --label 3", "labels must be from 0 to 2"),
        ("directions plain --label 0", "not conditional"),
        ("directions plain --columns 2", "columns must be"),
        ("nearest other", "holds no generator"),
        ("nearest plain --neighbours 1", "neighbours must be"),
        ("nearest plain --out missing/a.png", "there is no folder missing"),
        ("nearest plain --truncation 2", "truncation must be above 0 and at most 1"),
        ("directions plain --truncation 0", "truncation must be"),
        ("sample plain --between 0 1", "not conditional, it knows no classes"),
        ("sample conditional --between 0 3", "labels must be from 0 to 2"),
        ("sample conditional --between 0 -1", "between must be in"),
        ("sample conditional --between 0 1 --interpolate", "give --interpolate or --between, not"),
        ("sample conditional --labels 0 --walk linear", "give --interpolate or --labels, not both"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(command, tmp_path, line, sentence):
    picture("real.png")
    with pytest.raises((JaxgenError, SystemExit)) as error:
        command(line)
    if isinstance(error.value, JaxgenError):  # else tyro refused the line
        assert sentence in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["real.png"]
