"""The nearest of many images, in blocks, against all distances at once."""

import numpy as np
import pytest

from jaxgen.metrics.samples import nearest
from jaxgen.metrics.samples.nearest import Nearest, closeness


def all_distances(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.sqrt(((a[:, None] - b[None]) ** 2).mean(2))


@pytest.mark.parametrize("block", [1, 37, 10_000])
def test_blocks_find_what_all_distances_say(monkeypatch, block):
    rng = np.random.default_rng(0)
    others = rng.normal(size=(200, 8)).astype(np.float32)
    images = np.concatenate([others[[5, 150]], rng.normal(size=(20, 8))]).astype(np.float32)
    itself = np.full(22, -1)
    itself[:2] = [5, 150]
    monkeypatch.setattr(nearest, "BLOCK_BYTES", block * 4 * 22)
    found = nearest.nearest(images, lambda at: others[at], 200, 3, (4, 45), itself)
    distances = all_distances(images, others)
    distances[[0, 1], [5, 150]] = np.inf
    np.testing.assert_array_equal(found.place_NK, distances.argsort(1)[:, :3])
    np.testing.assert_allclose(found.distance_NK, np.sort(distances, 1)[:, :3], rtol=1e-5)
    for part in range(4):  # of the first 180, every fourth
        expected = distances[:, :180][:, part::4].min(1)
        np.testing.assert_allclose(found.of_part_NP[:, part], expected, rtol=1e-4)
    assert found.rows(slice(2)).place_NK.shape == (2, 3)


def test_a_copy_is_at_distance_0_among_large_numbers():
    others = np.random.default_rng(0).normal(1000, 1, (50, 300)).astype(np.float32)
    found = nearest.nearest(others[[7]], lambda at: others[at], 50, 2)
    assert found.distance_NK[0, 0] == 0
    assert found.place_NK[0, 0] == 7
    assert found.distance_NK[0, 1] > 1
    assert found.of_part_NP.shape == (1, 0)


def of(distances, parts=()):
    distance_N = np.asarray(distances, float)
    part_NP = np.stack(parts, axis=1) if parts else np.zeros((len(distance_N), 0))
    return Nearest(np.zeros((len(distance_N), 1), int), distance_N[:, None], part_NP)


def test_figures_of_distances():
    samples = of([1, 2, 3, 4], [np.array([1.0, 2, 9, 9]), np.array([3.0, 3, 3, 4])])
    real = of(np.arange(1, 201) / 20)  # 0.05 to 10, median 5.025, 1 % at 0.1
    figures = closeness(samples, real, np.array([2.0, 2.0, 2.0, 9.0]))
    assert figures.samples == 2.5
    assert figures.ratio == pytest.approx(2.5 / 5.025)
    # Of the first part 1, a tie and a tie; of the second 4 < 9: (1 + 0.5 + 0 + 0.5 + 1) / 8.
    assert figures.nearer == pytest.approx((1 + 0.5 + 0 + 0.5 + 0 + 0 + 0 + 1) / 8)
    assert figures.chance == (0.5, 0.5)
    assert figures.copies == 0
    assert closeness(of([0.01, 0.02, 5]), real, None).copies == pytest.approx(2 / 3)
    alone = closeness(of([1.0]), real, None)
    assert (alone.nearer, alone.chance) == (None, None)
    assert closeness(of([0.0]), of([0.0, 0.0]), None).ratio == 0
