"""Batch indices: a function of (seed, step) alone."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.training.batches import epoch_indices


def test_an_epoch_draws_distinct_examples_and_skips_the_incomplete_batch():
    indices = epoch_indices(size=103, batch_size=10, seed=0, start=0, stop=30)
    assert indices.shape == (30, 10)
    assert indices.dtype == np.int32
    for epoch in np.split(indices, 3):
        assert len(np.unique(epoch)) == 100
        assert epoch.min() >= 0
        assert epoch.max() < 103


def test_an_epoch_covers_the_set_when_the_batch_size_divides_it():
    epoch = epoch_indices(size=12, batch_size=4, seed=5, start=3, stop=6)
    np.testing.assert_array_equal(np.sort(epoch, axis=None), np.arange(12))


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (7, 13), (10, 20), (9, 25), (4, 4)])
def test_any_range_of_steps_is_that_slice_of_the_whole(start, stop):
    whole = epoch_indices(size=103, batch_size=10, seed=7, start=0, stop=25)
    part = epoch_indices(size=103, batch_size=10, seed=7, start=start, stop=stop)
    np.testing.assert_array_equal(part, whole[start:stop])


def test_the_order_is_the_documented_one():
    # Runs resume by it: another generator or another seeding would change runs that exist.
    expected = np.random.default_rng((3, 1)).permutation(10)[:4]
    batch = epoch_indices(size=10, batch_size=4, seed=3, start=2, stop=3)
    np.testing.assert_array_equal(batch, expected[None, :])


def test_seeds_and_epochs_differ():
    first, second = np.split(epoch_indices(100, 100, seed=0, start=0, stop=2), 2)
    other = epoch_indices(100, 100, seed=1, start=0, stop=1)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("batch_size", "message"),
    [
        (6000, "batch size 6000 is larger than the training set of 5000"),
        (0, "0 is not"),
        (-3, "-3"),
    ],
)
def test_a_batch_size_out_of_range_is_refused(batch_size, message):
    with pytest.raises(JaxgenError, match=message):
        epoch_indices(size=5000, batch_size=batch_size, seed=0, start=0, stop=1)


def test_a_negative_seed_is_refused():
    with pytest.raises(JaxgenError, match="seed -1 is negative"):
        epoch_indices(size=10, batch_size=5, seed=-1, start=0, stop=1)


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2)])
def test_a_range_of_steps_that_is_none_is_refused(start, stop):
    with pytest.raises(ValueError, match="not a range"):
        epoch_indices(size=10, batch_size=5, seed=0, start=start, stop=stop)
