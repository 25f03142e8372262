"""Folders of HDF5 files, on a tiny one in COCO's names whose every number is written here."""

import json

import h5py
import numpy as np
import pytest

from jaxgen.data.captions import course_files
from jaxgen.data.captions.base import load_captions
from jaxgen.data.captions.coco import Coco
from jaxgen.data.captions.course_files import course_layout
from jaxgen.data.captions.vocabulary import Vocabulary
from jaxgen.errors import JaxgenError

WORDS = ["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat", "dog"]
CAPTIONS = {
    "train": [[1, 4, 5, 2, 0], [1, 4, 6, 2, 0], [1, 5, 2, 0, 0], [1, 4, 3, 6, 2]],
    "val": [[1, 6, 2, 0, 0], [1, 4, 5, 2, 0]],
}
IMAGES = {"train": [0, 2, 1, 2], "val": [1, 0]}
ROWS = {"train": 3, "val": 2}
H5 = "coco2014_captions.h5"
PCA = "train2014_vgg16_fc7_pca.h5"


def features(split, *shape):
    return np.arange(np.prod([ROWS[split], *shape]), dtype=np.float32).reshape(ROWS[split], *shape)


@pytest.fixture
def folder(tmp_path):
    with h5py.File(tmp_path / "coco2014_captions.h5", "w") as file:
        for split in ROWS:
            file[f"{split}_captions"] = np.array(CAPTIONS[split], np.int32)
            file[f"{split}_image_idxs"] = np.array(IMAGES[split], np.int32)
    for split, rows in ROWS.items():
        for name, shape in (("vgg16_fc7_pca", (2,)), ("vgg16_fc7", (3,)), ("grid", (2, 2))):
            with h5py.File(tmp_path / f"{split}2014_{name}.h5", "w") as file:
                file["features"] = features(split, *shape)
        lines = "".join(f"http://example.org/{split}{row}.jpg\n" for row in range(rows))
        (tmp_path / f"{split}2014_urls.txt").write_text(lines)
    write_vocabulary(tmp_path, WORDS)
    return tmp_path


def write_vocabulary(folder, words, **changes):
    contents = {"idx_to_word": words, "word_to_idx": {w: i for i, w in enumerate(words)}} | changes
    (folder / "coco2014_vocab.json").write_text(json.dumps(contents))


def load_from(folder, **settings):
    return load_captions(Coco(str(folder), **settings))


def overwrite(path, key, array):
    with h5py.File(path, "a") as file:
        del file[key]
        file[key] = array


def test_gives_captions_features_and_urls_of_both_splits(folder):
    data = load_from(folder)
    for split, part in (("train", data.train), ("val", data.validation)):
        np.testing.assert_array_equal(part.captions["captions"], CAPTIONS[split])
        np.testing.assert_array_equal(part.captions["image_index"], IMAGES[split])
        assert {array.dtype for array in part.captions.values()} == {np.dtype(np.int32)}
        np.testing.assert_array_equal(part.features.array, features(split, 2))
    assert data.validation.urls[1] == "http://example.org/val1.jpg"
    assert data.vocabulary.decode(data.train.captions["captions"])[0] == "a cat"
    assert (data.directory, data.facts, data.has_grid) == (folder, None, False)


def test_features_as_tokens(folder):
    data = course_files.read(folder, course_layout("grid", rank=3), 512)
    np.testing.assert_array_equal(data.validation.features.array, features("val", 2, 2))


def test_what_is_written_is_read(tmp_path):
    layout = course_files.Layout("c.h5", "i_{split}", "v.json", "{split}.h5", "{split}", ("a", "b"))
    vocabulary = Vocabulary(WORDS)
    sentences = {"a": [["a cat", "a bird"], ["dog"]], "b": [["a dog"], []]}
    arrays = {"a": np.array([[1.5], [2]], np.float16), "b": np.array([[3.0], [4]])}
    places = {"a": ["Ü 1.png", "2.png"], "b": ["3.png", "4.png"]}
    course_files.write_captions(tmp_path, layout, sentences, vocabulary, 4)
    course_files.write_features(tmp_path, layout, arrays)
    course_files.write_pictures(tmp_path, layout, places)
    data = course_files.read(tmp_path, layout, 512)
    assert data.vocabulary.words == tuple(WORDS)
    assert data.train.captions["captions"].tolist() == [[1, 4, 5, 2], [1, 4, 3, 2], [1, 6, 2, 0]]
    assert data.train.captions["image_index"].tolist() == [0, 0, 1]
    assert data.validation.captions["image_index"].tolist() == [0]
    for split, part in (("a", data.train), ("b", data.validation)):
        assert part.features.array.dtype == np.float32
        np.testing.assert_array_equal(part.features.array, arrays[split])
        assert part.urls == places[split]


def test_features_left_in_their_file_are_the_same(folder):
    kept, left = load_from(folder), load_from(folder, in_memory_mb=0)
    assert left.train.features.array is None
    rows = np.array([[2, 0, 2], [1, 1, 0]])
    gathered = left.train.features.gather(rows)
    assert gathered.dtype == np.float32
    np.testing.assert_array_equal(gathered, features("train", 2)[rows])
    np.testing.assert_array_equal(kept.train.features.gather(rows), gathered)
    (folder / PCA).unlink()
    with pytest.raises(JaxgenError, match=rf"{PCA} cannot be read \(it is missing\)"):
        left.train.features.gather(rows)
    with h5py.File(folder / PCA, "w") as file:
        file["features"] = features("train", 3)
    with pytest.raises(JaxgenError, match=r"had shape \(3, 2\) and now has \(3, 3\)"):
        left.train.features.gather(rows)


def test_half_precision_features_become_single(folder):
    overwrite(folder / "train2014_vgg16_fc7_pca.h5", "features", features("train", 2).astype("f2"))
    for limit in (0, 512):
        gathered = load_from(folder, in_memory_mb=limit).train.features.gather(np.array([2]))
        assert gathered.dtype == np.float32
        np.testing.assert_array_equal(gathered, [[4, 5]])


@pytest.mark.parametrize(
    ("file", "key", "array", "message"),
    [
        (H5, "train_captions", np.array([[1, 7, 2, 0, 0]] * 4), r"train_captions.*outside.*row 0"),
        (H5, "train_captions", np.array([[1, -1, 2]] * 4), "train_captions.*outside"),
        (H5, "train_captions", np.array([[1, 2**32 + 4, 2]] * 4), "train_captions.*outside"),
        (H5, "val_captions", np.array([[4, 5, 2], [1, 5, 2]]), r"val_captions.*START \(row 0\)"),
        (H5, "val_captions", np.array([[1, 5, 2], [1, 5, 4]]), r"val_captions.*END \(row 1\)"),
        (H5, "val_captions", np.array([1, 5, 2]), "val_captions must have 2 axes"),
        (H5, "val_captions", np.zeros((0, 5), int), "val_captions must have 2 axes, none empty"),
        (H5, "val_captions", np.ones((2, 5)), "val_captions must hold integers"),
        (H5, "val_captions", np.array([[1, 5, 2]] * 3), "has 3 rows, but .*val_image_idxs 2"),
        (H5, "val_image_idxs", np.array([[0], [1]]), "val_image_idxs must have 1 axes"),
        (H5, "train_image_idxs", np.array([0, 3, 1, 2]), r"outside the 3 rows of .*\(row 1\)"),
        (H5, "train_image_idxs", np.array([0, 1, -1, 2]), r"outside the 3 rows of .*\(row 2\)"),
        (PCA, "features", np.zeros((3, 2, 2), "f4"), "features must have 2 axes"),
        (PCA, "features", np.array([[0, 0], [0, np.nan], [1, 1]]), r"not finite \(row 1\)"),
        (PCA, "features", np.array([[0, 0], [0, 0], [np.inf, 1]]), r"not finite \(row 2\)"),
        (PCA, "features", np.zeros((4, 2)), "train2014_urls.txt must name .* the 4 rows .* not 3"),
    ],
)
def test_unsound_arrays_are_refused(folder, file, key, array, message):
    overwrite(folder / file, key, array)
    with pytest.raises(JaxgenError, match=message) as raised:
        load_from(folder)
    assert file in str(raised.value)


@pytest.mark.parametrize("name", [H5, PCA, "coco2014_vocab.json", "val2014_urls.txt"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(JaxgenError, match=name):
        load_from(folder)


@pytest.mark.parametrize("name", [H5, PCA])
def test_a_file_that_is_not_hdf5_is_named(folder, name):
    (folder / name).write_bytes(b"not HDF5")
    with pytest.raises(JaxgenError, match=f"{name} cannot be read"):
        load_from(folder)


def test_a_missing_key_is_named_beside_those_there(folder):
    with h5py.File(folder / H5, "a") as file:
        del file["val_captions"]
    with pytest.raises(JaxgenError, match=r"no array 'val_captions' but .*val_image_idxs"):
        load_from(folder)


@pytest.mark.parametrize(
    ("words", "changes", "message"),
    [
        (WORDS, {"word_to_idx": {"a": 0}}, "disagree"),
        (WORDS, {"idx_to_word": 3}, "TypeError"),
        (WORDS[1:], {}, "lacks <NULL>"),
        ([*WORDS, "\ud800"], {}, r"'\\ud800', which is no text"),
        (dict.fromkeys(WORDS), {}, "idx_to_word is no list"),
        ([*WORDS, "cat"], {}, "'cat' twice"),
        ([*WORDS, 3], {"word_to_idx": {w: i for i, w in enumerate(WORDS)} | {3: 7}}, "disagree"),
    ],
)
def test_an_unsound_vocabulary_is_refused(folder, words, changes, message):
    write_vocabulary(folder, words, **changes)
    with pytest.raises(JaxgenError, match=message) as raised:
        load_from(folder)
    assert "coco2014_vocab.json" in str(raised.value)


def test_a_vocabulary_of_no_json_is_refused(folder):
    for content in ("{", "[" * 100_000):
        (folder / "coco2014_vocab.json").write_text(content)
        with pytest.raises(JaxgenError, match=r"coco2014_vocab\.json must be JSON"):
            load_from(folder)


@pytest.mark.parametrize("width", [1, 5])  # narrower and wider than those to train on
@pytest.mark.parametrize("in_memory_mb", [0, 512])
def test_other_features_to_validate_on_are_refused(folder, width, in_memory_mb):
    overwrite(folder / "val2014_vgg16_fc7_pca.h5", "features", np.ones((2, width)))
    message = rf"^{folder} .* of one shape, not \(2,\) .* and \({width},\)"
    with pytest.raises(JaxgenError, match=message):
        load_from(folder, in_memory_mb=in_memory_mb)
