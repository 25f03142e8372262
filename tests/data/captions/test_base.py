"""Sets of captions of a user's own, in memory: sound ones, each fault, and the old form of all."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgen.data.captions.base import CaptionData, Captions, Features, Split, load_captions
from jaxgen.data.captions.coco import Coco
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.data.scenes.captions import Scenes
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting
from jaxgen.training import configs

WORDS = Vocabulary(["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat", "dog"])
TRAIN = [[1, 4, 5, 2, 0], [1, 4, 6, 2, 0], [1, 5, 2, 0, 0], [1, 4, 3, 6, 2]]
VALIDATION = [[1, 6, 2, 0, 0], [1, 4, 5, 2, 0]]
TRAIN_IMAGES, VALIDATION_IMAGES = [0, 2, 1, 2], [1, 0]
FEATURES = {"train": np.arange(6.0).reshape(3, 2), "validation": np.arange(4).reshape(2, 2)}


def split(captions: Any, images: Any, features: Any, urls: Any) -> Split:
    arrays = {"captions": np.array(captions), "image_index": np.array(images)}
    return Split(arrays, Features.of(features), urls)


DATA = CaptionData(
    train=split(TRAIN, TRAIN_IMAGES, FEATURES["train"], ["0.png", "1.png", "2.png"]),
    validation=split(VALIDATION, VALIDATION_IMAGES, FEATURES["validation"], ("3.png", "")),
    vocabulary=WORDS,
    directory=Path("pictures"),
    facts=["a cat", "a dog"],
)


def mine(given: Any, **numbers: Any) -> Captions:
    """What a user could write: a class with a field of its own that gives arrays."""

    @dataclass(frozen=True)
    class Mine(Captions):
        width: int = setting(2, least=1)

        def load(self) -> CaptionData:
            return given

    return Mine(**numbers)


def test_a_set_of_ones_own_gives_its_arrays():
    data = load_captions(mine(DATA))
    for part, captions, images in (
        (data.train, TRAIN, TRAIN_IMAGES),
        (data.validation, VALIDATION, VALIDATION_IMAGES),
    ):
        np.testing.assert_array_equal(part.captions["captions"], captions)
        np.testing.assert_array_equal(part.captions["image_index"], images)
        assert {array.dtype for array in part.captions.values()} == {np.dtype(np.int32)}
    for name, features in FEATURES.items():
        array = getattr(data, name).features.array
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, features)
    assert data.validation.urls == ("3.png", "")
    assert (data.vocabulary, data.directory, data.facts) == (WORDS, Path("pictures"), DATA.facts)
    assert not data.has_grid


def test_captions_of_unequal_length_are_padded():
    short = split([row[:3] for row in VALIDATION[:1]], [0], np.ones((1, 2)), ["3.png"])
    data = load_captions(mine(dataclasses.replace(DATA, validation=short, facts=None)))
    assert data.validation.captions["captions"].tolist() == [[1, 6, 2, 0, 0]]
    assert data.train.captions["captions"].tolist() == TRAIN


def test_captions_are_spelt_in_characters():
    data = load_captions(mine(DATA, units="characters"))
    assert data.vocabulary.units == "characters"
    assert data.vocabulary.words[4:] == (" ", "a", "c", "d", "g", "o", "t")
    for name, captions in (("train", TRAIN), ("validation", VALIDATION)):
        spelt = getattr(data, name).captions["captions"]
        assert spelt.shape[1] == len("a <dog") + 3  # UNK is one token
        assert data.vocabulary.decode(spelt) == WORDS.decode(captions)


def test_max_train_takes_a_random_subset_without_repeats():
    drawn = [load_captions(mine(DATA, max_train=3, max_train_seed=seed)).train for seed in range(8)]
    for part in drawn:
        rows = [TRAIN.index(row) for row in part.captions["captions"].tolist()]
        assert len(set(rows)) == 3
        assert [TRAIN_IMAGES[row] for row in rows] == part.captions["image_index"].tolist()
    assert len({part.captions["captions"].tobytes() for part in drawn}) > 1
    assert len(load_captions(mine(DATA, max_train=99)).train.captions["captions"]) == 4
    spelt = load_captions(mine(DATA, units="characters", max_train=2)).train
    assert spelt.captions["captions"].shape == (2, 9)  # as wide as the longest of all


def test_captions_are_drawn_as_ever():
    # Origin: jaxgen 0.1.0 with these captions; a run that goes on must have the same ones.
    drawn = load_captions(mine(DATA, max_train=2, max_train_seed=5)).train.captions
    assert [TRAIN.index(row) for row in drawn["captions"].tolist()] == [3, 2]


def changed(**changes: Any) -> CaptionData:
    return dataclasses.replace(DATA, **changes)


def in_train(**changes: Any) -> CaptionData:
    return changed(train=dataclasses.replace(DATA.train, **changes))


def with_captions(captions: Any = TRAIN, images: Any = TRAIN_IMAGES) -> CaptionData:
    arrays = [np.array(array) if isinstance(array, list) else array for array in (captions, images)]
    return in_train(captions=dict(zip(("captions", "image_index"), arrays, strict=True)))


def with_features(features: Any, **changes: Any) -> CaptionData:
    return in_train(features=Features.of(features), **changes)


GRID = np.ones((3, 6, 2))
CAPTIONS, IMAGES = r"train\.captions\['captions'\]", r"train\.captions\['image_index'\]"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, r"Mine\.load\(\) must be a CaptionData, not NoneType"),
        (changed(vocabulary=WORDS.words), "vocabulary must be a Vocabulary, not tuple"),
        (changed(vocabulary=Vocabulary(WORDS.words, "characters")), "vocabulary must be of words"),
        (changed(directory=None), "directory must be a path, not None"),
        (changed(validation={}), "validation must be a Split, not dict"),
        (in_train(captions=[]), "train.captions must be a dict of captions and image_index"),
        (in_train(captions={"captions": np.array(TRAIN)}), "must be a dict of captions and"),
        (with_captions(captions=None), f"{CAPTIONS} must be an array of whole numbers, not None"),
        (with_captions(captions=np.ones((4, 5))), f"{CAPTIONS} .* whole numbers, not float64"),
        (with_captions(captions=[1, 4, 2]), rf"{CAPTIONS} must have 2 axes.*\(3,\)"),
        (with_captions(captions=np.zeros((0, 5), int)), f"{CAPTIONS} must .* none empty"),
        (with_captions(captions=[[1, 7, 2]] * 4), rf"{CAPTIONS} has a token outside .* \(row 0\)"),
        (with_captions(captions=[[1, -1, 2]] * 4), f"{CAPTIONS} has a token outside"),
        (with_captions(captions=[[1, 2**32 + 4, 2]] * 4), f"{CAPTIONS} has a token outside"),
        (with_captions(captions=[[1, 2]] * 3 + [[4, 2]]), rf"{CAPTIONS} .* START \(row 3\)"),
        (with_captions(captions=[[1, 2]] * 3 + [[1, 4]]), rf"{CAPTIONS} .* END \(row 3\)"),
        (with_captions(images=[0, 1]), r"has 4 rows, but .*image_index'\] 2"),
        (with_captions(images=[[0], [1], [2], [0]]), f"{IMAGES} must have 1 axes"),
        (with_captions(images=[0.0, 1.0, 2.0, 0.0]), f"{IMAGES} must be .* whole numbers"),
        (with_captions(images=[0, 3, 1, 2]), rf"{IMAGES} has .* outside the 3 rows .* \(row 1\)"),
        (with_captions(images=[0, 1, -1, 2]), rf"{IMAGES} has an image outside .* \(row 2\)"),
        (in_train(features=np.ones((3, 2))), "train.features must be a Features, not ndarray"),
        (with_features(["a", "b", "c"]), "train.features must be an array of real numbers, not"),
        (with_features(np.ones(3)), r"train.features must have 2 or 3 axes.*\(3,\)"),
        (with_features([[0, 1], [0, np.nan], [0, 1]]), r"train.features .* not finite \(row 1\)"),
        (with_features(np.ones((3, 5))), r"features of one shape, not \(5,\) .* and \(2,\)"),
        (in_train(features=Features((3, 2))), "features must be an array of real numbers"),
        (in_train(features=Features((3, 9), np.ones((3, 2)))), r"not \(3, 2\) .* say \(3, 9\)"),
        (in_train(features=Features((3, 2), read=lambda rows: rows)), r"not \(3,\) where they"),
        (with_features(np.ones((3, 4, 4, 3))), r"features of 4 axes must be pictures, uint8 and"),
        (with_features(np.ones((3, 4, 4, 2), np.uint8)), "pictures of 1 or 3 channels, not 2"),
        (in_train(urls=["0.png"]), r"train.urls must name a picture for each of the 3 rows"),
        (in_train(urls="abc"), r"train.urls must be a list of texts"),
        (in_train(urls=[0, 1, 2]), r"train.urls must be a list of texts"),
        (changed(facts=3), "facts must be a Sequence, not int"),
        (changed(facts=["a cat"]), "facts must tell of each of the 2 validation images, not of 1"),
        (changed(has_grid=True), r"has_grid, but .* \(2,\), are not the tokens of a square"),
        (
            changed(
                train=split(TRAIN, TRAIN_IMAGES, GRID, ["a", "b", "c"]),
                validation=split(VALIDATION, VALIDATION_IMAGES, GRID[:2], ["a", "b"]),
                has_grid=True,
            ),
            r"has_grid, but .* \(6, 2\), are not the tokens of a square",
        ),
    ],
)
def test_a_fault_of_ones_own_set_is_told_in_one_sentence(given, message):
    with pytest.raises(JaxgenError, match=message) as raised:
        load_captions(mine(given))
    told = str(raised.value)
    assert told.startswith("Mine.load()")
    assert told.endswith("; fix Mine.load")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (mine(DATA, max_train=-1), r"^data\.max_train must be at least 0, got -1$"),
        (mine(DATA, max_train_seed=2**32), r"^data\.max_train_seed must be at most 4294967295"),
        (mine(DATA, units="letters"), r"^data\.units must be 'words' or 'characters'"),
        (mine(DATA, width=0), r"^data\.width must be at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(config, message):
    with pytest.raises(JaxgenError, match=message):
        load_captions(config)


def test_a_square_of_tokens_is_a_grid():
    grid = np.ones((3, 4, 2))
    data = changed(
        train=split(TRAIN, TRAIN_IMAGES, grid, ["a", "b", "c"]),
        validation=split(VALIDATION, VALIDATION_IMAGES, grid[:2], ["a", "b"]),
        has_grid=True,
    )
    assert load_captions(mine(data)).has_grid


# What `configs.to_json` of jaxgen 0.1.0 gives for `CaptionsConfig`.
OLD = {
    "name": "scenes",
    "dir": "",
    "features": "vector",
    "units": "words",
    "scenes": 40,
    "pca": True,
    "max_train": 0,
    "max_train_seed": 0,
    "in_memory_mb": 512,
}


@pytest.mark.parametrize(
    ("changes", "upgraded"),
    [
        ({}, Scenes(scenes=40)),
        (
            {"features": "grid", "units": "characters", "dir": "made", "in_memory_mb": 0},
            Scenes("made", "grid", 40, units="characters", in_memory_mb=0),
        ),
        ({"features": "attributes", "pca": False}, Scenes("", "attributes", 40, False)),
        (
            {"features": "attribute_tokens", "max_train": 50, "max_train_seed": 3},
            Scenes("", "attribute_tokens", 40, max_train=50, max_train_seed=3),
        ),
        ({"name": "coco", "dir": "coco"}, Coco("coco")),
        (
            {"name": "coco", "dir": "coco", "pca": False, "max_train": 50, "units": "characters"},
            Coco("coco", False, max_train=50, units="characters"),
        ),
    ],
)
def test_what_0_1_0_wrote_becomes_a_set_of_its_own(changes, upgraded):
    found = configs.from_json(OLD | changes, Captions, "config.data")
    assert (type(found), found) == (type(upgraded), upgraded)
    assert configs.from_json(configs.to_json(found, Captions), Captions) == found


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in OLD.items() if key != name}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "must be an object"),
        (None, "must be an object"),
        ([OLD], "must be an object"),
        ({}, 'must be an object with the "type"'),
        (without("name"), 'must be an object with the "type"'),
        (OLD | {"name": "flickr"}, "flickr"),
        (OLD | {"name": ["coco"]}, 'with the "name" scenes or coco'),
        (OLD | {"name": None}, 'with the "name" scenes or coco'),
        (OLD | {"name": "coco", "features": "grid"}, ".features must be 'vector' for coco"),
        (OLD | {"name": "coco", "features": None}, ".features must be 'vector' for coco"),
        (without("features") | {"name": "coco"}, ".features must be 'vector' for coco"),
        (without("units"), "the field 'units' of Scenes is missing"),
        (without("dir") | {"name": "coco"}, "the field 'dir' of Coco is missing"),
        (OLD | {"colour": 1}, "Scenes has no field 'colour'"),
        (OLD | {"scenes": "40"}, "scenes must be a whole number"),
        (OLD | {"scenes": 3}, "scenes must be at least 10"),
        (OLD | {"features": ["vector"]}, "features must be 'vector' or"),
        (OLD | {"max_train": -1}, "max_train must be at least 0"),
        (OLD | {"max_train": None}, "max_train must be a whole number"),
        (OLD | {"pca": 1}, "pca must be true or false"),
    ],
)
def test_a_malformed_record_is_refused(value, message):
    with pytest.raises(JaxgenError, match=message) as raised:
        configs.from_json(value, Captions, "config.data")
    assert str(raised.value).startswith("config.data")


def test_no_object_at_all_is_refused():
    with pytest.raises(JaxgenError, match=r"^here must be an object"):
        Captions.upgraded([OLD], "here")


def test_a_class_that_is_declared_is_not_of_the_old_form():
    config = mine(DATA, width=3)
    value = {"width": 3, "units": "words", "max_train": 0, "max_train_seed": 0}
    assert config.upgraded(value, "config.data") is value
    assert configs.from_json(value, type(config)) == config
