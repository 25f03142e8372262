"""Pairs to rank: one of each is true, and nothing but the scene tells which."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from jaxgen.data.scenes.rendering import Digit, sample_facts, scenes_of
from jaxgen.data.scenes.sentences import describe
from jaxgen.metrics.truth import ranking
from jaxgen.metrics.truth.measure import judge
from jaxgen.metrics.truth.scene_claims import read_claims

SCENES = scenes_of(sample_facts(np.random.default_rng(11), 1500))


@pytest.fixture(scope="module")
def pairs():
    return ranking.pairs(SCENES)


def test_each_scene_of_several_digits_has_a_true_and_a_false_sentence_of_each_kind(pairs):
    wanted = [i for i, scene in enumerate(SCENES) if len(scene) > 1]
    for kind in ranking.KINDS:
        have = [pair.scene for pair in pairs if pair.kind == kind]
        assert len(set(have)) == len(have) >= 0.99 * len(wanted)
        assert set(have) <= set(wanted)
    for pair in pairs:
        scene = SCENES[pair.scene]
        assert pair.digits == len(scene)
        assert judge(pair.true, scene).is_true
        assert not judge(pair.exchanged, scene).is_true
    assert pairs == ranking.pairs(SCENES)
    assert [p for p in pairs if p.scene < 50] == ranking.pairs(SCENES[:50])


def test_what_is_exchanged_is_all_that_differs(pairs):
    for pair in pairs:
        true, false = (read_claims(s) for s in (pair.true, pair.exchanged))
        if pair.kind == "relations":
            assert true.mentions == false.mentions
            changed = [(a, b) for a, b in zip(true.relations, false.relations) if a != b]  # noqa: B905
            assert changed
            assert len({(a.name, b.name) for a, b in changed}) == 1  # "above both": two at once
            assert all(a[1:] == b[1:] for a, b in changed)
        else:
            assert true.relations == false.relations
            assert Counter(pair.true.replace("an ", "a ").split()) == Counter(
                pair.exchanged.replace("an ", "a ").split()
            )


def test_words_alone_rank_half_of_them_right(pairs):
    """A model of three words in a row, of as many sentences as train a captioner here."""
    written = describe(scenes_of(sample_facts(np.random.default_rng(12), 6000)), seed=12)
    counts, before = Counter(), Counter()
    for sentence in (s for some in written for s in some):
        words = ["", "", *sentence.split(), "."]
        counts.update(zip(words, words[1:], words[2:], strict=False))
        before.update(itertools.pairwise(words[:-1]))

    def log_likelihood(sentence):
        words = ["", "", *sentence.split(), "."]
        return sum(
            math.log((counts[gram] + 0.1) / (before[gram[:2]] + 8))
            for gram in zip(words, words[1:], words[2:], strict=False)
        )

    margins = np.array([log_likelihood(p.true) - log_likelihood(p.exchanged) for p in pairs])
    figures = ranking.shares(pairs, margins)
    # Two standard deviations of a coin over 950 scenes are 3.2 %.
    assert figures["ranked_relations"] == pytest.approx(0.5, abs=0.05)
    assert figures["ranked_attributes"] == pytest.approx(0.5, abs=0.05)


def test_shares_by_hand():
    made = [ranking.Pair(0, 2, "relations", "a", "b"), ranking.Pair(0, 2, "attributes", "a", "b")]
    made += [ranking.Pair(1, 3, "relations", "a", "b"), ranking.Pair(2, 2, "relations", "a", "b")]
    figures = ranking.shares(made, np.array([1.0, 0.0, -2.0, 3.0]))
    assert figures == pytest.approx(
        {
            "ranked": 2.5 / 4,
            "ranked_relations": 2 / 3,
            "ranked_attributes": 0.5,
            "ranked_2": 2.5 / 3,
            "ranked_relations_2": 1,
            "ranked_attributes_2": 0.5,
            "ranked_3": 0,
            "ranked_relations_3": 0,
        }
    )
    lines = ranking.table(figures).splitlines()
    assert lines[1].split() == "a relation exchanged 66.7 % 100.0 % 0.0 % 50.0 %".split()
    assert lines[2].split() == "two attributes exchanged 50.0 % 50.0 % - 50.0 %".split()


def test_digits_that_look_alike_offer_nothing_to_exchange():
    same = (Digit(3, 0, 0, row=0, column=0), Digit(3, 0, 0, row=2, column=2))
    assert ranking.pairs([same]) == []
    assert ranking.shares([], np.zeros(0)) == {}
