"""Truth of captions: what the writer of sentences writes is true, and what is altered is not."""

import numpy as np
import pytest

from jaxgen.data.scenes.rendering import COLOURS, Digit, sample_facts, scenes_of
from jaxgen.data.scenes.sentences import describe
from jaxgen.metrics.truth.measure import judge, measure
from jaxgen.metrics.truth.scene_claims import UnreadableCaption, read_claims

RED, GREEN, BLUE = (list(COLOURS).index(name) for name in ("red", "green", "blue"))
SMALL, LARGE = 0, 1
ONE = (Digit(3, RED, LARGE, row=0, column=0),)
TWO = (Digit(3, RED, LARGE, row=0, column=0), Digit(7, BLUE, SMALL, row=1, column=1))
THREE = (*TWO, Digit(7, RED, SMALL, row=2, column=0))


@pytest.fixture(scope="module")
def written():
    scenes = scenes_of(sample_facts(np.random.default_rng(5), 600))
    sentences = describe(scenes, seed=5)
    return [(s, scene) for scene, some in zip(scenes, sentences, strict=True) for s in some]


def test_every_written_sentence_is_true(written):
    assert len(written) == 3000
    assert [(s, scene) for s, scene in written if not judge(s, scene).is_true] == []


def altered(written, swaps):
    """The sentences in which one of the phrases stands, and swapped for its counterpart."""
    for sentence, scene in written:
        for old, new in swaps(scene).items():
            if f" {old} " in f" {sentence} ":
                yield f" {sentence} ".replace(f" {old} ", f" {new} ", 1).strip(), scene


def absent(classes, present):
    return next(i for i in range(classes) if i not in present)


def swap_colours(scene):
    other = list(COLOURS)[absent(len(COLOURS), {digit.colour for digit in scene})]
    return {list(COLOURS)[digit.colour]: other for digit in scene}


def swap_values(scene):
    other = absent(10, {digit.value for digit in scene})
    return {str(digit.value): str(other) for digit in scene}


def swap_relations(scene):
    pairs = [("above", "below"), ("over", "under"), ("bigger", "smaller"), ("below", "over")]
    pairs += [("to the left of", "to the right of"), ("to the right of", "to the left of")]
    pairs += [("higher than", "under"), ("larger", "smaller"), ("smaller", "larger")]
    # Where values repeat, the other way round may be true of the other digit.
    return dict(pairs) if len({digit.value for digit in scene}) == len(scene) else {}


def swap_counts(scene):
    return {
        "two digits": "three digits",
        "three digits": "two digits",
        "both digits": "all three digits",
    }


def swap_places(scene):
    rows, columns = ({getattr(d, name) for d in scene} for name in ("row", "column"))
    swaps = {}
    if 2 not in rows:
        swaps |= {"at the top": "at the bottom", "in the upper": "in the lower"}
    if 0 not in columns:
        swaps |= {"right corner": "left corner", "right side": "left side"}
    return swaps


@pytest.mark.parametrize(
    "swaps", [swap_colours, swap_values, swap_relations, swap_counts, swap_places]
)
def test_altered_sentences_are_false(written, swaps):
    changed = list(altered(written, swaps))
    assert len(changed) > 30
    assert [(s, scene) for s, scene in changed if judge(s, scene).is_true] == []


def test_sentences_of_other_scenes_are_rarely_true(written):
    shifted = [scene for _, scene in written[5:] + written[:5]]
    assert measure([sentence for sentence, _ in written], shifted)["true"] < 0.02


@pytest.mark.parametrize(
    "caption",
    [
        "a 3",
        "the 3 is large and red",
        "in the upper left a red 3 sits",
        "red large 3",
        "a single red 3 on the left",
        "a digit at the top in red",
    ],
)
def test_true_of_one_digit(caption):
    assert judge(caption, ONE).is_true


@pytest.mark.parametrize(
    "caption",
    [
        "a blue 7 below a red 3",
        "a small 7 to the right of the large 3",
        "above a 7 is a 3",
        "the 3 is red and the 7 is small",
        "two digits a 3 and a 7 in the middle",
        "the 7 is smaller than the 3",
        "a 7 in the middle and a red 3 at the top",
    ],
)
def test_true_of_two_digits_in_any_order(caption):
    assert judge(caption, TWO).is_true
    assert not judge(caption, ONE).is_true


@pytest.mark.parametrize(
    "caption",
    [
        "two red digits",
        "two red digits and a blue 7",
        "a 3 above both a blue 7 and a red 7",
        "a blue 7 below a 3 and to the right of a red 7",
        "the red 7 is below another 7",
        "the 3 and the 7 are both red",  # the 7 in the corner
    ],
)
def test_true_of_three_digits(caption):
    assert judge(caption, THREE).is_true


@pytest.mark.parametrize(
    "caption",
    [
        "a red 7",  # the attributes of two digits mixed
        "a blue 3 and a red 7",
        "a red 3 and a blue 7 and a 7",  # one digit too many
        "a 3 and a 3",
        "a 3 below a 7",
        "the 3 is red and blue",
        "both digits are red",
        "three digits a 3 and a 7",
        "a single red 3",
        "a 3 in the middle of the left side",
        "the 3 and the 7 are both small",
    ],
)
def test_false_of_two_digits(caption):
    verdict = judge(caption, TWO)
    assert verdict.is_readable
    assert not verdict.is_true


@pytest.mark.parametrize(
    "caption",
    [
        "a red",
        "a 3 above",
        "a 3 above above a 7",
        "two red 7",
        "a <UNK> 3",
        "digits",
        "in the top left corner",
        "both 3",
        "above a 3",
        "a cat",
        "two small",
    ],
)
def test_fragments_cannot_be_read_and_are_not_true(caption):
    with pytest.raises(UnreadableCaption):
        read_claims(caption)
    assert not judge(caption, TWO).is_true
    assert not judge(caption, TWO).is_readable


@pytest.mark.parametrize("caption", ["", "there is", "on a dark background", "a digit"])
def test_a_caption_that_states_nothing_is_not_true(caption):
    assert not judge(caption, ONE).is_true
    assert judge(caption, ONE).is_readable


def test_a_long_stammer_is_judged_quickly():
    assert not judge("a 3 and " * 15 + "a 3", THREE).is_true


def test_shares_by_number_of_digits_and_of_relations():
    shares = measure(
        ["a small red 3 on the left", "a 3 below a blue 7", "a blue 7 below a 3", "red"],
        [ONE, TWO, TWO, THREE],
    )
    # By hand: 4 facts of which 3 true; 4 of which the relation is false; 4 true; none.
    assert shares == pytest.approx(
        {
            "true": 1 / 4,
            "facts_true": 10 / 12,
            "facts_told": (3 + 3 + 3 + 0) / (5 + 10 + 10 + 15),
            "relations_true": 1 / 2,
            "with_relation": 1 / 2,
            "unreadable": 1 / 4,
            "true_1": 0,
            "facts_true_1": 3 / 4,
            "facts_told_1": 3 / 5,
            "with_relation_1": 0,
            "unreadable_1": 0,
            "true_2": 1 / 2,
            "facts_true_2": 7 / 8,
            "facts_told_2": 6 / 20,
            "relations_true_2": 1 / 2,
            "with_relation_2": 1,
            "unreadable_2": 0,
            "true_3": 0,
            "facts_told_3": 0,
            "with_relation_3": 0,
            "unreadable_3": 1,
        }
    )


def test_as_many_scenes_as_captions():
    with pytest.raises(ValueError, match="zip"):
        measure(["a 3"], [])
