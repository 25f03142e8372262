"""Folders of one's own pictures: today's names, and COCO's, which jaxgen 0.1.0 gave them."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.data.captions import course_files, own_pictures
from jaxgen.data.captions.base import load_captions
from jaxgen.data.captions.coco import Coco
from jaxgen.data.captions.course_files import course_layout
from jaxgen.data.captions.own_pictures import CaptionedPictures
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError

SENTENCES = [[["a cat", "cat"], ["a dog"]], [["a cat"]]]
PLACES = [["/0.png", "/1.png"], ["/2.png"]]
WHOLE = [np.arange(6.0).reshape(2, 3), np.ones((1, 3))]
REDUCED = [np.arange(4.0).reshape(2, 2), np.ones((1, 2))]


def write(folder, whole, reduced):
    folder.mkdir()
    vocabulary = Vocabulary.of_sentences(["a cat", "a dog"], 1)
    sentences, places, features, fewer = (
        dict(zip(whole.splits, parts, strict=True)) for parts in (SENTENCES, PLACES, WHOLE, REDUCED)
    )
    course_files.write_captions(folder, whole, sentences, vocabulary, 5)
    course_files.write_pictures(folder, whole, places)
    course_files.write_features(folder, whole, features)
    course_files.write_features(folder, reduced, fewer)
    return folder


@pytest.fixture
def own(tmp_path):
    return write(tmp_path / "own", *map(own_pictures.layout, (False, True)))


@pytest.fixture
def old(tmp_path):
    return write(tmp_path / "old", *map(course_layout, ("vgg16_fc7", "vgg16_fc7_pca")))


def test_the_files_have_the_names_that_are_documented(own):
    assert {path.name for path in own.iterdir()} == {
        "captions.h5",
        "vocabulary.json",
        "train_features.h5",
        "validation_features.h5",
        "train_features_pca.h5",
        "validation_features_pca.h5",
        "train_pictures.txt",
        "validation_pictures.txt",
    }
    assert all(path.name in own_pictures.__doc__ for path in own.iterdir())


@pytest.mark.parametrize("numbers", [{}, {"pca": False}, {"in_memory_mb": 0}])
def test_a_folder_of_0_1_0_loads_as_coco_and_todays_as_what_it_is(own, old, numbers):
    sets = [CaptionedPictures(str(own), **numbers), Coco(str(old), **numbers)]
    for data in map(load_captions, sets):
        assert data.vocabulary.decode(data.train.captions["captions"]) == ["a cat", "cat", "a dog"]
        assert data.train.captions["image_index"].tolist() == [0, 0, 1]
        assert data.vocabulary.decode(data.validation.captions["captions"]) == ["a cat"]
        expected = WHOLE if numbers.get("pca") is False else REDUCED
        for part, features, places in zip(
            (data.train, data.validation), expected, PLACES, strict=True
        ):
            assert (part.features.array is None) == ("in_memory_mb" in numbers)
            found = part.features.gather(np.arange(len(features)))
            np.testing.assert_array_equal(found, features)
            assert part.urls == places


def test_the_folder_must_be_one_that_was_built(own, old, tmp_path):
    with pytest.raises(
        JaxgenError, match=r"give data\.dir, the folder that `jaxgen captions build`"
    ):
        load_captions(CaptionedPictures())
    with pytest.raises(JaxgenError, match=r"data\.dir .*absent is not a folder"):
        load_captions(CaptionedPictures(str(tmp_path / "absent")))
    with pytest.raises(JaxgenError, match=r"as jaxgen 0\.1\.0 wrote it; load it as coco"):
        load_captions(CaptionedPictures(str(old)))
    with pytest.raises(JaxgenError, match=r"coco2014_vocab\.json cannot be read"):
        load_captions(Coco(str(own)))
    (own / "validation_features_pca.h5").unlink()
    with pytest.raises(JaxgenError, match=r"validation_features_pca\.h5 cannot be read"):
        load_captions(CaptionedPictures(str(own)))


@pytest.mark.parametrize("megabytes", [512, 0])
def test_pictures_stand_in_for_features(own, tmp_path, megabytes):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, colour in zip(paths, colours, strict=True):
        Image.new("RGB", (40, 30), colour).save(path)
    for split, some in (("train", paths[:2]), ("validation", paths[2:])):
        (own / f"{split}_pictures.txt").write_text("".join(f"{path}\n" for path in some))
    data = load_captions(CaptionedPictures(str(own), pixels=8, in_memory_mb=megabytes))
    assert data.has_grid
    for part, some in ((data.train, colours[:2]), (data.validation, colours[2:])):
        assert (part.features.array is None) == (megabytes == 0)
        assert part.features.shape == (len(some), 8, 8, 3)
        found = part.features.gather(np.arange(len(some)))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found[:, 4, 4], some)
    paths[1].write_bytes(b"no picture")
    with pytest.raises(JaxgenError, match=r"1\.png: .*; build the set again without it"):
        load_captions(CaptionedPictures(str(own), pixels=8)).train.features.gather(np.arange(2))
