"""From a folder of pictures and a file of captions to a set that loads."""

import csv
import dataclasses
import json

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
        "1 captions left out: they have no words ('blue/2.png', for one)",
        "1 pictures left out: they have no caption ('blue/1.png', for one)",
        "1 captions cut to 3 words",
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


def karpathy(splits):
    """A file like dataset_coco.json, with the pictures' own folders left out or misnamed."""
    return {
        "dataset": "coco",
        "images": [
            {
                "filename": name.replace("/", "_"),
                "filepath": "val2014",
                "cocoid": 100 + number,
                "imgid": number,
                "split": split,
                "sentences": [{"raw": f"A {split} dog.", "tokens": []}, {"raw": "a dog"}],
            }
            for number, (name, split) in enumerate(splits.items())
        ],
    }


@pytest.fixture
def splits(config, tmp_path):
    """The twelve pictures in a flat folder under Karpathy's splits, restval and test among them."""
    flat = tmp_path / "flat"
    flat.mkdir(parents=True)
    for name in NAMES:
        (config.images / name).rename(flat / name.replace("/", "_"))
    config = changed(config, images=tmp_path / "flat", captions=tmp_path / "dataset.json")
    chosen = ["train", "restval", "val", "test", *["train"] * 8]
    config.captions.write_text(json.dumps(karpathy(dict(zip(NAMES, chosen, strict=True)))))
    return config


def pictures_of(config, split):
    lines = (config.out / f"{split}_pictures.txt").read_text().split()
    return [NAMES.index(line.split("/")[-1].replace("_", "/")) for line in lines]


@pytest.mark.parametrize(
    ("numbers", "train", "validation"),
    [
        ({}, [0, 1, *range(4, 12)], [2]),
        ({"held_out": "test"}, [0, 1, *range(4, 12)], [3]),
        ({"restval": False}, [0, *range(4, 12)], [2]),
    ],
)
def test_karpathys_splits_are_kept(splits, numbers, train, validation):
    told = build(changed(splits, **numbers))
    assert pictures_of(splits, "train") == train
    assert pictures_of(splits, "validation") == validation
    left_out = 12 - len(train) - 1
    assert f"{left_out} pictures left out: they are of other splits" in told
    data = load(splits)
    assert set(data.vocabulary.decode(data.validation.captions["captions"])) <= {
        *["a val dog", "a test dog", "a dog", "a <UNK> dog"]
    }


def test_lists_of_images_say_what_is_held_out(config, tmp_path):
    lines = "".join(f"{name}#{number}\tA dog .\n" for name in NAMES for number in range(2))
    (tmp_path / "token.txt").write_text(lines)
    (tmp_path / "train.txt").write_text("\n".join(NAMES[:5]) + "\n")
    (tmp_path / "dev.txt").write_text("3.png\nabsent.png\n" + NAMES[7] + "\n")
    lists = {"train_list": tmp_path / "train.txt", "validation_list": tmp_path / "dev.txt"}
    config = changed(config, captions=tmp_path / "token.txt", **lists)
    told = build(config)
    assert "6 pictures left out: they are of other splits" in told
    assert told[-1].startswith("5 images with 10 captions to train on, 1 with 2 held out")
    with pytest.raises(JaxgenError, match=r"^give both lists of images, train_list and"):
        build(changed(config, out=tmp_path / "b", validation_list=None))
    (tmp_path / "dev.txt").write_text(NAMES[0])
    with pytest.raises(JaxgenError, match=r"'blue/0.png' is in both .*train.txt and .*dev.txt"):
        build(changed(config, out=tmp_path / "b"))
    (tmp_path / "dev.txt").write_text("elsewhere.png")
    with pytest.raises(JaxgenError, match=r"no picture of .* is of the split validation"):
        build(changed(config, out=tmp_path / "b"))
    (tmp_path / "dev.txt").write_text("\n")
    with pytest.raises(JaxgenError, match=r"dev.txt lists no images"):
        build(changed(config, out=tmp_path / "b"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("gone.png", "a dog")],
            r"^1 captions no such picture \('gone.png', for one\): mend .*skip",
        ),
        ([(NAMES[0], "?!")], r"^1 captions they have no words \('blue/0.png', for one\): mend"),
        ([], r"^1 pictures they have no caption \('red/5.png', for one\): mend"),
    ],
)
def test_what_does_not_match_is_refused_if_asked_for(config, rows, message):
    named = NAMES if rows else NAMES[:-1]
    write(config, [*((name, "a dog") for name in named), *rows])
    with pytest.raises(JaxgenError, match=message):
        build(changed(config, unmatched="refuse"))
    assert not config.out.exists()
    write(config, [(name, "a dog") for name in NAMES])
    build(changed(config, unmatched="refuse"))


def test_captions_of_images_that_the_file_does_not_describe_are_counted(config, tmp_path):
    images = [{"id": number, "file_name": name} for number, name in enumerate(NAMES)]
    captions = [{"image_id": number, "caption": "a dog"} for number in [*range(12), 77, 78]]
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"images": images, "annotations": captions}))
    told = build(changed(config, captions=path))
    assert told[0] == "2 captions left out: no such picture ('77', for one)"


def test_two_files_of_captions_as_coco_has_them(config, tmp_path):
    """Ids may be the same in both, and an image that is in neither is without a caption."""
    files = {"captions": NAMES[:8], "validation_captions": NAMES[9:]}
    for name, images in files.items():
        content = {
            "images": [{"id": i, "file_name": image} for i, image in enumerate(images)],
            "annotations": [{"image_id": i, "caption": "a dog"} for i in range(len(images))],
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    config = changed(config, **{name: tmp_path / f"{name}.json" for name in files})
    told = build(config)
    assert told[0] == "1 pictures left out: they have no caption ('red/2.png', for one)"
    assert told[-1].startswith("8 images with 8 captions to train on, 3 with 3 held out")
    places = (config.out / "validation_pictures.txt").read_text().split()
    assert places == [str(config.images / name) for name in NAMES[9:]]
    other = changed(config, out=tmp_path / "b", validation_captions=config.captions)
    with pytest.raises(JaxgenError, match=r"'blue/0.png' is in both files of captions"):
        build(other)
    lists = dict.fromkeys(("train_list", "validation_list"), tmp_path / "list.txt")
    lists["train_list"] = tmp_path / "other.txt"
    for number, path in enumerate(lists.values()):
        path.write_text(NAMES[number])
    with pytest.raises(JaxgenError, match="give validation_captions or lists of images, not both"):
        build(changed(config, out=tmp_path / "b", **lists))


def test_captions_of_splits_that_are_not_used_may_lack_pictures(splits):
    for path in splits.images.glob("blue_3.png"):  # of the test split
        path.unlink()
    told = build(changed(splits, unmatched="refuse"))
    assert told[-1].startswith("10 images with 20 captions to train on, 1 with 2 held out")


def test_splits_without_a_meaning_are_refused(splits):
    chosen = dict.fromkeys(NAMES, "train") | {NAMES[3]: "holdout"}
    splits.captions.write_text(json.dumps(karpathy(chosen)))
    with pytest.raises(
        JaxgenError, match=r"blue_3.png' is of the split 'holdout'; there are train"
    ):
        build(splits)
    splits.captions.write_text(json.dumps(karpathy(dict.fromkeys(NAMES, "train"))))
    with pytest.raises(JaxgenError, match="has 12 images to train on and 0 of the split 'val'"):
        build(splits)
