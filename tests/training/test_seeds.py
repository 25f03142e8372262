"""Figures of seeds by name, their means and spreads."""

import numpy as np
import pytest

from jaxgen.errors import JaxgenError
from jaxgen.training import seeds


def test_mean_and_spread_of_numbers_and_of_rows():
    told = seeds.with_spread(seeds.by_seed((3, 4), [{"loss": 1.0}, {"loss": 3.0}]))
    assert list(told) == ["loss", "loss_std", "seed_3/loss", "seed_4/loss"]
    assert told["loss"] == 2
    assert told["loss_std"] == pytest.approx(2**0.5)  # of a sample: divided by one less
    rows = [{"loss": np.array([1, 5], np.float32)}, {"loss": np.array([3, 5], np.float32)}]
    told = seeds.with_spread(seeds.by_seed((3, 4), rows))
    np.testing.assert_allclose(told["loss"], [2, 5])
    np.testing.assert_allclose(told["loss_std"], [2**0.5, 0])


def test_a_seeds_own_figures_come_back_by_their_names():
    by_seed = seeds.by_seed((1, 11), [{"loss": 1}, {"loss": 2, "fid": 3}])
    told = seeds.with_spread(by_seed)
    assert seeds.of_seed(told, 1) == {"loss": 1}
    assert seeds.of_seed(told, 11) == {"loss": 2, "fid": 3}
    assert (told["fid"], "fid_std" in told) == (3, False)  # a single value has no spread
    assert seeds.of_all(told).keys() == {"loss", "loss_std", "fid"}


def test_what_was_told_before_is_summed_up_again():
    told = seeds.with_spread(seeds.by_seed((0, 1), [{"loss": 1.0}, {"loss": 3.0}]))
    assert seeds.with_spread(told | {"loss": 99, "loss_std": 99}) == told


def test_means_beside_their_spreads():
    history = {"a": 1, "a_std": 2, "b_std": 3, "seed_0/a": 4}
    assert seeds.means_and_spreads(history) == ({"a": 1, "b_std": 3}, {"a": 2})


def test_two_metrics_of_which_one_has_the_name_of_a_spread():
    with pytest.raises(JaxgenError, match="a_std is the spread of the metric a"):
        seeds.with_spread({"seed_0/a": 1.0, "seed_0/a_std": 2.0})
