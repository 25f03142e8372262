"""Intervals and tests of captions, beside what is known of them."""

import numpy as np
import pytest

from jaxgen.metrics.captions import corpus, resampling

REFERENCES = [[f"a {word} on the {other} hill"] for word in "abcdefghij" for other in "klmnopqrst"]


def system(right, seed=0):
    """Captions of 100 images, of which a share is the reference and the others say half of it."""
    rng = np.random.default_rng(seed)
    said = rng.random(len(REFERENCES)) < right
    made = [
        some[0] if all_of_it else some[0][:3]
        for some, all_of_it in zip(REFERENCES, said, strict=True)
    ]
    return corpus.measured(made, REFERENCES)


def test_intervals_are_those_of_the_normal_distribution_for_a_mean():
    found = system(0.5)
    rouge_N = found.parts_NK[:, -2]
    spread = rouge_N.std() / np.sqrt(len(rouge_N))
    low, high = resampling.intervals(found, 2000, 0.95, 0)["rouge_l"]
    assert low == pytest.approx(rouge_N.mean() - 1.96 * spread, abs=0.15 * spread)
    assert high == pytest.approx(rouge_N.mean() + 1.96 * spread, abs=0.15 * spread)
    narrow = resampling.intervals(found, 2000, 0.5, 0)["rouge_l"]
    assert low < narrow[0] < rouge_N.mean() < narrow[1] < high


def test_intervals_of_bleu_are_of_sums_over_the_corpus():
    """Beside a bootstrap that measures each resample from the start."""
    found = system(0.5)
    rng, figures = np.random.default_rng(0), []
    for _ in range(300):
        rows = rng.integers(100, size=100)
        figures.append(found.of_sums(found.parts_NK[rows].sum(0)[None])["bleu_4"][0])
    low, high = resampling.intervals(found, 1000, 0.9, 1)["bleu_4"]
    assert low == pytest.approx(np.percentile(figures, 5), abs=0.02)
    assert high == pytest.approx(np.percentile(figures, 95), abs=0.02)


def test_a_seed_draws_the_same_images_and_another_seed_others():
    found = system(0.5)
    first = resampling.intervals(found, 250, 0.95, 3)
    assert first == resampling.intervals(found, 250, 0.95, 3)
    assert first != resampling.intervals(found, 250, 0.95, 4)


@pytest.mark.parametrize("test", ["bootstrap", "randomisation"])
def test_a_file_does_not_differ_from_itself_and_better_captions_do(test):
    one, better = system(0.4), system(0.8, seed=1)
    assert set(resampling.p_values(one, one, test, 200, 0).values()) == {1.0}
    p = resampling.p_values(one, better, test, 999, 0)
    assert list(p) == list(corpus.FIGURES)
    assert max(p.values()) < 0.01 and min(p.values()) >= 1 / 1000
    other_way = resampling.p_values(better, one, test, 999, 0)
    assert other_way == pytest.approx(p, abs=0.01)


@pytest.mark.parametrize("test", ["bootstrap", "randomisation"])
def test_equally_good_systems_are_told_apart_as_seldom_as_they_should(test):
    """Of 60 pairs of the same quality about 6 are below 0.1."""
    p = [
        resampling.p_values(system(0.5, 2 * i), system(0.5, 2 * i + 1), test, 200, i)["rouge_l"]
        for i in range(60)
    ]
    assert 1 <= sum(value < 0.1 for value in p) <= 14
    assert 0.3 < np.mean(p) < 0.7
