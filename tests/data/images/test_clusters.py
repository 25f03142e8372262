"""Clusters of images: like images stand together, and the same ones each time."""

import numpy as np
import pytest

from jaxgen.data.images import clusters
from jaxgen.data.images.stored import StoredImages
from jaxgen.errors import JaxgenError

RNG = np.random.default_rng(0)
KIND_N = RNG.permutation(np.repeat([0, 1, 2], (50, 30, 20)))
"""Of each image: dark, grey or light, with noise that is small beside that."""
IMAGES = (20 + 100 * KIND_N)[:, None, None, None] + RNG.integers(0, 10, (100, 4, 4, 1))
IMAGES = IMAGES.astype(np.uint8)


def stored(images=IMAGES):
    return StoredImages.of({"image": images, "label": np.zeros(len(images), np.int32)})


def in_files():
    def read(place_K):
        return IMAGES[place_K]

    return StoredImages((4, 4, 1), np.zeros(100, np.int32), read=read)


def test_each_kind_of_image_is_a_cluster():
    cluster_N = clusters.cluster_of_each(stored(), 3)
    assert (cluster_N.dtype, cluster_N.shape) == (np.int32, (100,))
    pairs = set(zip(KIND_N.tolist(), cluster_N.tolist(), strict=True))
    assert len(pairs) == 3 == len({cluster for _, cluster in pairs})


def test_images_in_files_are_divided_alike_a_block_at_a_time(monkeypatch):
    whole = clusters.cluster_of_each(stored(), 3)
    monkeypatch.setattr(clusters, "_BLOCK", 4 * 16 * 7)
    np.testing.assert_array_equal(clusters.cluster_of_each(in_files(), 3), whole)
    # Centres that are found on half of them.
    monkeypatch.setattr(clusters, "_MOST_FITTED", 4 * 16 * 50)
    pairs = zip(whole.tolist(), clusters.cluster_of_each(in_files(), 3).tolist(), strict=True)
    assert len(set(pairs)) == 3


def test_clusters_without_images_are_left_out_and_told(capsys):
    same = stored(np.repeat(IMAGES[:2], 5, axis=0))
    cluster_N = clusters.cluster_of_each(same, 4)
    assert set(cluster_N.tolist()) == {0, 1}
    assert "only 2 of them have images" in capsys.readouterr().err


def test_more_clusters_than_images_are_refused():
    with pytest.raises(JaxgenError, match="there are only 100 images"):
        clusters.cluster_of_each(stored(), 101)
