"""Scenes as captioned images: which features, and what is in the images."""

import shutil

import h5py
import numpy as np
import pytest

from jaxgen.data import fetch as pictures
from jaxgen.data.captions.base import load_captions
from jaxgen.data.scenes import build
from jaxgen.data.scenes.captions import Scenes
from jaxgen.errors import JaxgenError
from jaxgen.metrics.truth.measure import judge

SHAPES = {
    "vector": (12, 512),
    "grid": (12, 16, 128),
    "pixels": (12, 64, 64, 3),
    "attributes": (12, 81),
    "attribute_tokens": (12, 3, 27),
}


@pytest.mark.parametrize(("kind", "shape"), SHAPES.items())
def test_features_are_the_ones_that_are_asked_for(made, kind, shape):
    data = load_captions(Scenes(str(made), features=kind))
    assert data.train.features.array.shape == shape
    assert data.has_grid == (kind in ("grid", "pixels"))
    assert data.train.features.array.dtype == (np.uint8 if kind == "pixels" else np.float32)
    assert len(data.validation.captions["captions"]) == 25
    left = load_captions(Scenes(str(made), features=kind, in_memory_mb=0))
    rows = np.arange(12)
    np.testing.assert_array_equal(left.train.features.gather(rows), data.train.features.array)


def test_vectors_without_pca_are_wider(made):
    assert load_captions(Scenes(str(made), pca=False)).train.features.shape == (12, 1024)


def test_captions_are_true_of_what_is_in_the_images(made):
    data = load_captions(Scenes(str(made)))
    texts = data.vocabulary.decode(data.validation.captions["captions"])
    readable = 0
    for text, row in zip(texts, data.validation.captions["image_index"], strict=True):
        readable += "<UNK>" not in text  # words that 12 scenes mention too rarely
        assert judge(text, data.facts[row]).is_true == ("<UNK>" not in text)
    assert 0 < readable < 25
    picture, message = pictures.fetch(data.validation.urls[4], data.directory)
    assert (picture.shape, message) == ((64, 64, 3), "")


def test_pixels_must_be_pictures(made, tmp_path):
    folder = tmp_path / "altered"
    shutil.copytree(made, folder)
    with h5py.File(folder / "images.h5", "a") as file:
        pixels = file["train_images"][:]
        del file["train_images"]
        file["train_images"] = pixels.astype(np.uint16)
    with pytest.raises(JaxgenError, match=r"images\.h5 key train_images must hold pictures, uint8"):
        load_captions(Scenes(str(folder), features="pixels"))


def test_scenes_are_made_in_the_cache_where_no_folder_is_given(made, monkeypatch):
    asked = []
    monkeypatch.setattr(build, "ensure", lambda config: asked.append(config) or made)
    assert load_captions(Scenes(scenes=35)).directory == made
    assert asked == [build.ScenesConfig(35, 3)]


def rewritten(key, array):
    def change(folder):
        with h5py.File(folder / "scene_facts.h5", "a") as file:
            del file[key]
            if array is not None:
                file[key] = array

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "scene_facts.h5").unlink(), "is no set of scenes: .* missing"),
        (
            lambda folder: (folder / "scene_facts.h5").write_text("x"),
            "is no set of scenes: .* HDF5",
        ),
        (rewritten("val_facts", None), "is no set of scenes: .* no array 'val_facts'"),
        (rewritten("val_facts", np.ones((5, 3, 5))), "is no set of scenes: .* integers"),
        (rewritten("val_facts", np.ones((5, 3, 4), int)), r"val_facts has shape \(5, 3, 4\)"),
        (rewritten("val_facts", np.full((5, 3, 5), 9)), "val_facts does not hold facts"),
        (rewritten("val_facts", np.full((5, 3, 5), -2)), "val_facts does not hold facts"),
        (rewritten("val_facts", np.full((5, 3, 5), [1, 1, 1, 1, -1])), "does not hold facts"),
        (rewritten("val_facts", np.ones((4, 3, 5), int)), "5 images to .* tells what is in 4"),
        (lambda folder: (folder / "val2014_urls.txt").unlink(), "val2014_urls.txt cannot be read"),
    ],
)
def test_a_folder_that_is_not_sound_is_told(made, tmp_path, change, message):
    folder = shutil.copytree(made, tmp_path / "copy")
    change(folder)
    with pytest.raises(JaxgenError, match=message) as raised:
        load_captions(Scenes(str(folder)))
    assert str(folder) in str(raised.value)


def test_numbers_and_folders_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(JaxgenError, match=r"^data\.dir .*absent is not a folder"):
        load_captions(Scenes(str(tmp_path / "absent")))
    with pytest.raises(JaxgenError, match=r"^data\.scenes must be at least 10, got 9"):
        load_captions(Scenes(scenes=9))
    with pytest.raises(JaxgenError, match=r"^data\.features must be 'vector' or 'grid' or"):
        load_captions(Scenes(features="boxes"))
