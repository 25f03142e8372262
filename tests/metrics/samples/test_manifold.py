"""Precision and recall, density and coverage of sets with known answers."""

import numpy as np
import pytest

from jaxgen.metrics.samples import manifold
from jaxgen.metrics.samples.base import Measured
from jaxgen.metrics.samples.manifold import among_neighbours, density_coverage, precision_recall


def test_precision_and_recall_of_sets_with_known_answers():
    line = np.arange(10.0)[:, None]  # radii: 3 at the ends, 2 next to them and inside
    assert precision_recall(line, line) == (1.0, 1.0)
    assert precision_recall(line, line + 100) == (0.0, 0.0)
    # k = 1: each ball reaches 1 to both sides. The fakes at 0.5 and 3.5 lie within, 11.5 and 50
    # do not; their own balls reach 3, 3, 8 and 38.5: all of 0 to 9, and -2.5 to 6.5, are covered.
    fake = np.array([0.5, 3.5, 11.5, 50.0])[:, None]
    assert precision_recall(line, fake, neighbours=1) == (0.5, 1.0)
    assert precision_recall(fake, line, neighbours=1) == (1.0, 0.5)


def test_collapsed_samples_have_precision_but_no_recall(normal):
    fake = np.repeat(normal[:1], 300, axis=0)
    precision, recall = precision_recall(normal, fake)
    assert precision == 1.0
    assert recall == 1 / len(normal)  # the copied image itself, at distance 0 of its copies


def test_precision_does_not_depend_on_the_block_size(monkeypatch, normal, other):
    whole = precision_recall(normal, other)
    monkeypatch.setattr(manifold, "_BLOCK", 7)
    assert precision_recall(normal, other) == whole


def test_density_and_coverage_of_sets_with_known_answers():
    line = np.arange(10.0)[:, None]  # k = 1: each ball reaches 1 to both sides, its ends too
    fake = np.array([0.5, 3.0, 11.5, 50.0])[:, None]
    # 0.5 is in the balls of 0 and 1, 3.0 in those of 2, 3 and 4, the others in none: 5 of 4 balls.
    assert density_coverage(line, fake, neighbours=1) == (1.25, 0.5)
    assert density_coverage(line, line + 100) == (0.0, 0.0)
    crowd = np.tile(line[4:5], (50, 1))
    assert density_coverage(line, crowd, neighbours=1) == (3.0, 0.3)


def test_figures_are_those_of_the_authors_code(normal, other):
    prdc = pytest.importorskip("prdc")
    for k in (3, 5):
        right = prdc.compute_prdc(normal, other, nearest_k=k)
        assert precision_recall(normal, other, neighbours=k) == pytest.approx(
            (right["precision"], right["recall"]), abs=1e-12
        )
        assert density_coverage(normal, other, neighbours=k) == pytest.approx(
            (right["density"], right["coverage"]), rel=1e-12
        )
    both = among_neighbours(normal, other)
    assert (both.precision, both.recall) == precision_recall(normal, other)
    assert (both.density, both.coverage) == density_coverage(normal, other)


def test_a_large_common_part_of_the_features_changes_nothing(normal, other):
    right = among_neighbours(normal, other)
    assert among_neighbours(normal + 1e4, other + 1e4) == right
    assert among_neighbours(np.float32(normal), np.float32(other)) == right


def test_too_few_images_have_no_density():
    some = np.random.default_rng(0).normal(size=(5, 3))
    few = Measured(some, some, some)
    assert [manifold.density.figure(few, few), manifold.coverage.figure(few, few)] == [None, None]
    assert manifold.precision.figure(few, few) == 1.0


def test_more_images_than_are_compared_are_a_random_choice(monkeypatch, normal):
    monkeypatch.setattr(manifold, "MOST_IMAGES", 50)
    many = Measured(normal, normal, normal)
    # Of equal sets that were compared whole all images would be covered, and so they are here: the
    # same are chosen of both.
    assert manifold.coverage.figure(many, Measured(normal, normal, normal)) == 1.0
    assert manifold._chosen(normal, 0).shape == (50, 8)
    assert not np.array_equal(manifold._chosen(normal, 0), manifold._chosen(normal, 1))


ON_DEVICES = """
import jax, numpy as np
from jaxgen.metrics.samples import manifold
rng = np.random.default_rng(0)
real, fake = rng.normal(size=(101, 4)), rng.normal(size=(50, 4)) * 1.2 + 0.3
assert jax.device_count() == 4
manifold._BLOCK = 30
print(*manifold.among_neighbours(real, fake))
"""


def test_devices_share_the_work_and_find_the_same(on_devices):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(101, 4)), rng.normal(size=(50, 4)) * 1.2 + 0.3
    found = [float(word) for word in on_devices(ON_DEVICES).stdout.split()]
    assert found == list(among_neighbours(real, fake))
