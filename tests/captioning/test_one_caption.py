"""One caption at a time: what `Writer` would say, without compiling for each number."""

import numpy as np
import pytest

from jaxgen.captioning import one_caption
from jaxgen.captioning.one_caption import Way
from jaxgen.errors import JaxgenError
from tests.commands.test_caption import FEATURES, SMALL, folder, restored

__all__ = ["folder"]


@pytest.fixture(scope="module")
def trained(folder):
    return restored(folder, SMALL, "grid")


@pytest.mark.parametrize("beam", [1, 3])
def test_it_is_the_caption_that_sets_of_images_get(trained, beam):
    in_full = trained.caption_in_full(FEATURES["grid"], beam=beam)
    for image in range(2):
        made = trained.caption_one(FEATURES["grid"][image], Way(beam=beam))
        assert made.sentence == in_full.sentences[image]
        assert made.log_probability == pytest.approx(in_full.log_probability_N[image], rel=1e-4)
        assert made.joined_by.join(made.words) == made.sentence


def test_drawn_words_are_those_of_their_seed_and_temperature_compiles_nothing_new(trained):
    features = FEATURES["grid"][0]

    def drawn(**how):
        return [trained.caption_one(features, Way(seed=seed, **how)).sentence for seed in range(20)]

    hot = drawn(temperature=5.0)
    programs = one_caption._words._cache_size()
    assert len(set(hot)) > 2
    assert drawn(temperature=5.0) == hot
    greedy = trained.caption_one(features).sentence
    assert set(drawn(temperature=0.001)) == {greedy}
    assert set(drawn(temperature=5.0, top_p=0.01)) == {greedy}
    assert one_caption._words._cache_size() <= programs + 1  # that of greedy decoding


def test_every_word_has_looked_somewhere(trained):
    for seed in range(5):
        made = trained.caption_one(FEATURES["grid"][1], Way(temperature=3.0, seed=seed))
        if not made.words:
            assert made.attention is None
            continue
        assert made.attention.shape == (len(made.words), 2, 2)
        np.testing.assert_allclose(made.attention.sum(axis=(1, 2)), 1, rtol=1e-5)
    nowhere = trained.caption_one(FEATURES["grid"][1], Way(temperature=3.0), has_grid=False)
    assert nowhere.attention is None


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"beam": 3, "temperature": 1.0}, "beam or temperature, not both"),
        ({"beam": 11}, "beam must be at most 10"),
        ({"top_p": 0.0}, "top_p must be in"),
        ({"seed": None}, "seed must be"),
        ({"temperature": 1e-5}, "0 or at least 0.001"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(trained, how, words):
    with pytest.raises(JaxgenError, match=words):
        trained.caption_one(FEATURES["grid"][0], Way(**how))
