"""The loader of COCO-layout captions, on a tiny folder whose every number is written here."""

import json

import h5py
import numpy as np
import pytest

from jaxgen.data.captions.course_files import CaptionsConfig, load
from jaxgen.errors import JaxgenError

WORDS = ["<NULL>", "<START>", "<END>", "<UNK>", "a", "cat", "dog"]
CAPTIONS = {
    "train": [[1, 4, 5, 2, 0], [1, 4, 6, 2, 0], [1, 5, 2, 0, 0], [1, 4, 3, 6, 2]],
    "val": [[1, 6, 2, 0, 0], [1, 4, 5, 2, 0]],
}
IMAGES = {"train": [0, 2, 1, 2], "val": [1, 0]}
ROWS = {"train": 3, "val": 2}


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
    return load(CaptionsConfig(name="coco", dir=str(folder), **settings))


def overwrite(path, key, array):
    with h5py.File(path, "a") as file:
        del file[key]
        file[key] = array


def test_gives_captions_features_and_urls_of_both_splits(folder):
    data = load_from(folder)
    for split in ("train", "val"):
        part = getattr(data, split)
        np.testing.assert_array_equal(part.captions["captions"], CAPTIONS[split])
        np.testing.assert_array_equal(part.captions["image_index"], IMAGES[split])
        assert {array.dtype for array in part.captions.values()} == {np.dtype(np.int32)}
        np.testing.assert_array_equal(part.features.array, features(split, 2))
    assert data.val.urls[1] == "http://example.org/val1.jpg"
    assert data.vocabulary.decode(data.train.captions["captions"])[0] == "a cat"


def test_features_without_pca_and_as_tokens(folder):
    assert load_from(folder, pca=False).train.features.shape == (3, 3)
    assert load_from(folder, features="grid").val.features.array.shape == (2, 2, 2)


def test_features_left_in_their_file_are_the_same(folder):
    kept, left = load_from(folder), load_from(folder, in_memory_mb=0)
    assert left.train.features.array is None
    rows = np.array([[2, 0, 2], [1, 1, 0]])
    gathered = left.train.features.gather(rows)
    assert gathered.dtype == np.float32
    np.testing.assert_array_equal(gathered, features("train", 2)[rows])
    np.testing.assert_array_equal(kept.train.features.gather(rows), gathered)


def test_half_precision_features_become_single(folder):
    overwrite(folder / "train2014_vgg16_fc7_pca.h5", "features", features("train", 2).astype("f2"))
    for limit in (0, 512):
        gathered = load_from(folder, in_memory_mb=limit).train.features.gather(np.array([2]))
        assert gathered.dtype == np.float32
        np.testing.assert_array_equal(gathered, [[4, 5]])


def test_max_train_takes_a_random_subset_without_repeats(folder):
    subsets = [load_from(folder, max_train=3, max_train_seed=seed).train for seed in range(8)]
    for subset in subsets:
        rows = [CAPTIONS["train"].index(row) for row in subset.captions["captions"].tolist()]
        assert len(set(rows)) == 3
        assert [IMAGES["train"][row] for row in rows] == subset.captions["image_index"].tolist()
    assert len({subset.captions["captions"].tobytes() for subset in subsets}) > 1
    assert len(load_from(folder, max_train=99).train.captions["captions"]) == 4


H5 = "coco2014_captions.h5"
PCA = "train2014_vgg16_fc7_pca.h5"


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
        (H5, "val_captions", np.array([[1, 5, 2]] * 3), "has 3 rows, but val_image_idxs 2"),
        (H5, "val_image_idxs", np.array([[0], [1]]), "val_image_idxs must have 1 axes"),
        (H5, "train_image_idxs", np.array([0, 3, 1, 2]), r"outside the 3 rows of .*\(row 1\)"),
        (H5, "train_image_idxs", np.array([0, 1, -1, 2]), r"outside the 3 rows of .*\(row 2\)"),
        (PCA, "features", np.zeros((3, 2, 2), "f4"), "features must have 2 axes"),
        (PCA, "features", np.array([[0, 0], [0, np.nan], [1, 1]]), r"not finite \(row 1\)"),
        (PCA, "features", np.array([[0, 0], [0, 0], [np.inf, 1]]), r"not finite \(row 2\)"),
        (PCA, "features", np.zeros((4, 2)), "train2014_urls.txt has 3 lines"),
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
        ([*WORDS, "cat"], {}, "'cat' twice"),
    ],
)
def test_an_unsound_vocabulary_is_refused(folder, words, changes, message):
    write_vocabulary(folder, words, **changes)
    with pytest.raises(JaxgenError, match=message) as raised:
        load_from(folder)
    assert "coco2014_vocab.json" in str(raised.value)


def test_the_folder_must_be_given_and_there(tmp_path):
    with pytest.raises(JaxgenError, match=r"give --data\.dir"):
        load(CaptionsConfig(name="coco"))
    with pytest.raises(JaxgenError, match="is not a folder"):
        load_from(tmp_path / "absent")
    with pytest.raises(JaxgenError, match="must not be negative"):
        load_from(tmp_path, max_train=-1)


def test_captions_in_characters_read_the_same(folder):
    words, characters = load_from(folder), load_from(folder, units="characters")
    assert characters.vocabulary.words[4:] == (" ", "a", "c", "d", "g", "o", "t")
    for split in ("train", "val"):
        in_words, spelt = (getattr(data, split).captions for data in (words, characters))
        assert spelt["captions"].shape[1] == len("a <dog") + 3  # UNK is one token
        assert spelt["captions"].dtype == np.int32
        np.testing.assert_array_equal(spelt["image_index"], in_words["image_index"])
        assert characters.vocabulary.decode(spelt["captions"]) == words.vocabulary.decode(
            in_words["captions"]
        )
    some = load_from(folder, units="characters", max_train=2)
    assert some.train.captions["captions"].shape == (2, 9)
