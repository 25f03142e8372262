"""From a folder of pictures and a file of captions to a set that loads."""

import csv
import dataclasses

import numpy as np
import pytest
from PIL import Image

from jaxgen import settings
from jaxgen.data import fetch as pictures
from jaxgen.data.captions.base import load_captions
from jaxgen.data.captions.build import BuildConfig, build
from jaxgen.data.captions.own_pictures import CaptionedPictures
from jaxgen.errors import JaxgenError

NAMES = [f"{colour}/{number}.png" for colour in ("blue", "red") for number in range(6)]


@pytest.fixture
def config(tmp_path):
    """Twelve even pictures, each with two captions that say its colour."""
    rows = []
    for name in NAMES:
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = 100 + 20 * int(path.stem)
        Image.new("RGB", (30, 20), (shade, 0, 0) if "red" in name else (0, 0, shade)).save(path)
        rows += [(name, f"A {path.parent.name} picture."), (name, f"It's all {path.parent.name}!")]
    config = BuildConfig(
        images=tmp_path / "pictures",
        captions=tmp_path / "captions.csv",
        out=tmp_path / "made",
        validation=0.25,
        threshold=2,
    )
    write(config, rows)
    return config


def write(config, rows):
    with config.captions.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])


def changed(config, **numbers):
    return dataclasses.replace(config, **numbers)


def load(config, **numbers):
    return load_captions(CaptionedPictures(str(config.out), **numbers))


def test_the_set_loads_and_each_image_has_its_captions_features_and_picture(config):
    told = build(config)
    assert told[-1].startswith("9 images with 18 captions to train on, 3 with 6 held out")
    data, whole = load(config), load(config, pca=False)
    seen = []
    for split, images in (("train", 9), ("validation", 3)):
        part = getattr(data, split)
        assert part.captions["captions"].shape == (2 * images, 17)
        features = getattr(whole, split).features.array
        assert features.shape == (images, 16 * 16 * 3)
        for image, place in enumerate(part.urls):
            seen.append(place)
            picture, problem = pictures.fetch(place, data.directory)
            assert problem == ""
            colour = "red" if picture[0, 0, 0] else "blue"
            rows = part.captions["captions"][part.captions["image_index"] == image]
            assert data.vocabulary.decode(rows) == [f"a {colour} picture", f"its all {colour}"]
            expected = picture[0, 0] / 127.5 - 1
            np.testing.assert_allclose(features[image, :3], expected, atol=1e-6)
    assert sorted(seen) == [str(config.images / name) for name in NAMES]
    reduced = data.train.features.array
    assert reduced.shape == (9, 2)  # two colours: two directions
    np.testing.assert_allclose(reduced.var(axis=0).mean(), 1, rtol=1e-3)


def test_features_of_ones_own_follow_the_sorted_names(config, tmp_path):
    path = tmp_path / "features.npy"
    np.save(path, np.arange(12.0)[:, None] * [1, 10])
    (config.images / "blue" / "3.png").write_text("not a picture")
    build(changed(config, features=str(path)))
    data = load(config, pca=False)
    for part in (data.train, data.validation):
        rows = [NAMES.index(place.removeprefix(f"{config.images}/")) for place in part.urls]
        assert NAMES.index("blue/3.png") not in rows
        np.testing.assert_array_equal(part.features.array[:, 0], rows)
        np.testing.assert_array_equal(part.features.array[:, 1], 10 * np.array(rows))


def test_what_is_left_out_or_changed_is_counted(config, capsys):
    rows = [(name, "one two three") for name in NAMES[2:]]
    rows += [("gone.png", "x"), (NAMES[2], "..."), (NAMES[3], "one two three four five")]
    write(config, [*rows, (NAMES[0], "one")])
    (config.images / NAMES[4]).write_bytes(b"broken")
    (config.images / NAMES[5]).rename(config.images / "blue" / "#5.png")
    write(config, [*rows, ("blue/#5.png", "one"), (NAMES[0], "one")])
    told = build(changed(config, max_words=3, threshold=3))
    assert told[:4] == [
        "2 captions left out: no such picture ('blue/5.png', for one)",
        "1 captions left out: they have no words",
        "1 captions cut to 3 words",
        "1 pictures left out: they have no caption",
    ]
    problems = capsys.readouterr().err
    assert "2 of 11 pictures could not be used" in problems
    assert f"{NAMES[4]}: " in problems and "'#'" in problems
    data = load(config)
    assert data.train.captions["captions"].shape[1] == 5
    assert len(data.train.urls) + len(data.validation.urls) == 9


def test_rare_words_become_unknown(config):
    write(config, [(name, f"word {number}") for number, name in enumerate(NAMES)])
    told = build(config)
    assert told[0].startswith("vocabulary of 5 words; 50.0% of the words in training captions are")
    data = load(config)
    assert set(data.vocabulary.decode(data.train.captions["captions"])) == {"word <UNK>"}
    with pytest.raises(JaxgenError, match=r"no word is used 99 times .* lower threshold$"):
        build(changed(config, out=config.out.parent / "other", threshold=99))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"validation": 1.0}, r"^--validation must be in \(0, 1\)"),
        ({"validation": 0}, r"^--validation must be in \(0, 1\)"),
        ({"threshold": 0}, "^--threshold must be at least 1"),
        ({"max_words": 0}, "^--max-words must be at least 1"),
        ({"seed": -1}, "^--seed must be at least 0"),
        ({"images": "pictures"}, "^--images must be a Path"),
        ({"features": "absent.npy"}, "^absent.npy cannot be read .* --features"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config, numbers, message):
    with settings.flags_spelled(), pytest.raises(JaxgenError, match=message):
        build(changed(config, **numbers))
    with pytest.raises(JaxgenError, match=message.replace("--", "").replace("max-w", "max_w")):
        build(changed(config, **numbers))
    assert not config.out.exists()


def test_folders_that_do_not_fit_are_refused(config, tmp_path):
    with pytest.raises(JaxgenError, match=r"^images .* is not a folder"):
        build(changed(config, images=tmp_path / "absent"))
    with pytest.raises(JaxgenError, match=r"^out .*: there is no folder"):
        build(changed(config, out=tmp_path / "absent" / "made"))
    with pytest.raises(JaxgenError, match=r"^out .* is there already"):
        build(changed(config, out=config.images))
    write(config, [("elsewhere/1.png", "a dog")])
    with pytest.raises(JaxgenError, match=r"\('elsewhere/1.png', for one\).*'blue/0.png'"):
        build(config)
    write(config, [(NAMES[0], "a dog")])
    with pytest.raises(JaxgenError, match=r"1 pictures .* at least 2"):
        build(config)
    assert not config.out.exists()
