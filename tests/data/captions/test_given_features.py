"""From features of an encoder to a set of captions that knows which encoder made them."""

import csv
import json

import numpy as np
import pytest

from jaxgen.data.captions.base import load_captions
from jaxgen.data.captions.build import BuildConfig, build
from jaxgen.data.captions.own_pictures import CaptionedPictures
from jaxgen.data.photographs import feature_set, weights
from jaxgen.data.photographs.asked import FeaturesConfig
from jaxgen.data.photographs.extract import extract
from jaxgen.errors import JaxgenError
from tests.data.photographs.conftest import NAMES, photographs, tiny, vectors

__all__ = ["photographs", "tiny"]  # fixtures


@pytest.fixture
def computed(tiny, photographs, tmp_path):
    """Features of the photographs, in three shards."""
    (photographs / "b" / "9.png").write_bytes(b"broken")
    out = tmp_path / "features"
    extract(FeaturesConfig(images=photographs, out=out, weights=tiny, grid=True, shard=5))
    return out


def config(photographs, computed, **changes):
    file = photographs.parent / "captions.csv"
    with file.open("w", newline="") as opened:
        rows = [(name, f"number {n % 3}") for n, name in enumerate([*NAMES, "b/9.png"])]
        csv.writer(opened).writerows([("image", "caption"), *rows])
    given = {"images": photographs, "captions": file, "out": photographs.parent / "set"}
    return BuildConfig(**{**given, "threshold": 1, "features": str(computed), **changes})


@pytest.mark.parametrize("in_memory_mb", [512, 0])
def test_each_image_has_the_features_of_its_name(photographs, computed, in_memory_mb, capsys):
    build(config(photographs, computed, validation=0.3))
    assert "has no features of it" in capsys.readouterr().err
    right = feature_set.read(computed)
    by_name = vectors(right)
    grids = np.concatenate([features.grid_NLC for _, features in right.read()])
    out = str(photographs.parent / "set")
    vector = load_captions(CaptionedPictures(dir=out, in_memory_mb=in_memory_mb))
    grid = load_captions(CaptionedPictures(dir=out, features="grid", in_memory_mb=in_memory_mb))
    assert vector.feature_encoder == grid.feature_encoder == right.encoder
    assert grid.has_grid
    assert not vector.has_grid
    seen = []
    for split in ("train", "validation"):
        one, other = getattr(vector, split), getattr(grid, split)
        vectors_MF = one.features.gather(np.arange(one.features.shape[0]))
        grid_MLC = other.features.gather(np.arange(other.features.shape[0]))
        assert one.urls == other.urls
        for place, vector_F, grid_LC in zip(one.urls, vectors_MF, grid_MLC, strict=True):
            name = place.removeprefix(f"{photographs.resolve()}/")
            np.testing.assert_array_equal(vector_F, by_name[name])
            np.testing.assert_array_equal(grid_LC, np.float32(grids[right.names.index(name)]))
            seen.append(name)
    assert sorted(seen) == NAMES


def test_features_of_the_shipped_encoder_are_computed_beside_the_set(
    photographs, tiny, monkeypatch
):
    load = weights.load
    monkeypatch.setattr(weights, "load", lambda encoder, file=None, *rest: load(encoder, tiny))
    build(config(photographs, "lite0"))
    right = feature_set.read(photographs.parent / "set.features")
    data = load_captions(CaptionedPictures(dir=str(photographs.parent / "set"), features="grid"))
    assert data.feature_encoder == right.encoder
    assert data.train.features.shape[0] + data.validation.features.shape[0] == len(NAMES)


def test_without_a_grid_regions_are_refused(tiny, photographs, tmp_path):
    out = tmp_path / "vectors"
    extract(FeaturesConfig(images=photographs, out=out, weights=tiny))
    build(config(photographs, out))
    with pytest.raises(JaxgenError, match="has no features of regions: build it of features that"):
        load_captions(CaptionedPictures(dir=str(tmp_path / "set"), features="grid"))


def test_features_of_other_pictures_are_refused(photographs, computed, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    photographs.rename(moved / "below")
    made = config(moved, computed)
    made.captions.write_text(made.captions.read_text().replace("a/", "below/a/"))
    with pytest.raises(
        JaxgenError, match=r"has features of no picture .*'below/a/0.png', but of 'a"
    ):
        build(made)
    assert not (tmp_path / "set").exists()


def test_damage_ends_the_build_and_leaves_nothing(photographs, computed):
    path = computed / "features-00001-of-00003.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(JaxgenError, match="is damaged: its checksum"):
        build(config(photographs, computed))
    assert not (photographs.parent / "set").exists()


def test_an_altered_record_of_the_encoder_is_refused(photographs, computed):
    build(config(photographs, computed))
    path = photographs.parent / "set" / "encoder.json"
    told = json.loads(path.read_text())
    told["encoder"]["size"] = 64
    path.write_text(json.dumps(told))
    with pytest.raises(
        JaxgenError, match=r"encoder\.json is not as it was written .* build the set"
    ):
        load_captions(CaptionedPictures(dir=str(path.parent)))
