"""Figures of captions by themselves, by hand and beside BLEU itself."""

import pytest

from jaxgen.metrics.captions import language
from jaxgen.metrics.captions.bleu import bleu

CAPTIONS = ["a dog on a", "a dog", "a cat sat", ""]


def test_by_hand():
    assert language.measured(CAPTIONS, {"a  dog", "a bird"}) == pytest.approx(
        {
            "length": 9 / 4,
            "vocabulary": 5,
            "distinct_1": 5 / 9,
            "distinct_2": 5 / 6,
            "distinct_captions": 1,
            "self_bleu": language.self_bleu(CAPTIONS),
            "bad_endings": 1 / 4,
            "empty": 1 / 4,
            "novel": 3 / 4,
        }
    )


def test_what_cannot_be_told_is_left_out():
    assert not {"novel", "self_bleu"} & language.measured(["a dog"]).keys()
    assert language.measured([""])["distinct_1"] == 0


@pytest.mark.parametrize(
    "captions",
    [
        CAPTIONS,
        ["a a a b", "a a", "a b a b a b", "b", "c d e f", "a a a b"],
        ["a dog on a hill", "a dog on a hill"],
        ["a b c d e f g", "a b", "a b c d e f"],
    ],
)
def test_self_bleu_is_bleu_with_all_others_as_references(captions):
    others = [captions[:i] + captions[i + 1 :] for i in range(len(captions))]
    assert language.self_bleu(captions) == pytest.approx(bleu(captions, others)[-1], rel=1e-12)
