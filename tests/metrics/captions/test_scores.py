"""Caption metrics: those of pycocoevalcap, numbers by hand, and captions at the edge."""

import math

import pytest

from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.scores import bleu, cider_d, measure, rouge_l

MADE = [
    "a man rides a horse on the beach",
    "a cat",
    "two dogs play with a red ball in the park near a big tree and a river",
    "the the the the the",
    "",
    "a plate of food",
    "a large 7",
]
REFERENCES = [
    ["a man riding a horse on a beach", "man on a horse at the beach", "a rider by the sea"],
    ["a cat sits on a mat", "a cat"],
    ["two dogs play in the park", "dogs with a ball"],
    ["the bus is on the road", "the the"],
    ["a person", "somebody stands there"],
    ["a plate of food"],
    ["there is a large 7 in the middle", "7", "a small 7", "a large 7 at the top"],
]
# What pycocoevalcap 1.2 says of these: Bleu(4), Rouge() and Cider() of (REFERENCES, MADE).
GOLDEN = {
    "bleu_1": 0.692307692,
    "bleu_2": 0.579365459,
    "bleu_3": 0.420950370,
    "bleu_4": 0.241305656,
    "rouge_l": 0.705753168,
    "cider_d": 2.776537142,
}


def oracle(made, references):
    """The figures as pycocoevalcap has them."""
    pytest.importorskip("pycocoevalcap", reason="is of the test extra")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    wanted = dict(enumerate(references))
    found = {image: [caption] for image, caption in enumerate(made)}
    scores, _ = Bleu(4).compute_score(wanted, found, verbose=0)
    figures = {f"bleu_{n}": score for n, score in enumerate(scores, 1)}
    figures["rouge_l"], _ = Rouge().compute_score(wanted, found)
    figures["cider_d"], _ = Cider().compute_score(wanted, found)
    return figures


def test_goldens():
    assert measure(MADE, REFERENCES) == pytest.approx(GOLDEN, abs=1e-6)


@pytest.mark.parametrize("images", [slice(None), slice(0, 1), slice(1, 4), slice(2, 6), [0] * 3])
def test_agrees_with_pycocoevalcap(images):
    """Whole, one image (whose CIDEr-D is 0), parts, and the same image again and again."""
    rows = images if isinstance(images, list) else range(len(MADE))[images]
    made, references = [MADE[i] for i in rows], [REFERENCES[i] for i in rows]
    assert measure(made, references) == pytest.approx(oracle(made, references), abs=1e-6)


def test_agrees_with_pycocoevalcap_on_captions_of_all_lengths():
    """Captions of 0 to 11 of 5 words that a fixed rule spreads, with 1 to 4 references."""

    def caption(seed):
        return " ".join("abcde"[(seed * k * k + seed // 7 + k) % 5] for k in range(seed % 12))

    made = [caption(13 * i + 5) for i in range(60)]
    references = [[caption(17 * i + 5 * j + 1) for j in range(1 + i % 4)] for i in range(60)]
    assert measure(made, references) == pytest.approx(oracle(made, references), abs=1e-6)


def test_bleu_by_hand():
    """Counts clipped by the reference that has most; brevity by the closest length, the shorter."""
    words, pairs = bleu(["the the the"], [["the cat", "the the b c"]])[:2]
    assert words == pytest.approx(2 / 3)
    assert pairs == pytest.approx(math.sqrt(2 / 3 * 1 / 2))
    brief = bleu(["a b"], [["a b c d", "a b c d e f"]])[0]
    assert brief == pytest.approx(math.exp(1 - 4 / 2))
    # Summed over the corpus: 3 of 4 words, where the mean of both captions would be 5 / 6.
    assert bleu(["a", "a b c"], [["a"], ["a b d"]])[0] == pytest.approx(3 / 4)


def test_rouge_by_hand():
    """Precision of the first reference, recall of the second."""
    precision, recall = 3 / 4, 2 / 2
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge_l(["a b c d"], [["a x b y c z", "b d"]]) == pytest.approx(expected)


def test_cider_by_hand():
    """Two images whose words are all different: every n-gram has the same weight, log 2."""
    perfect = cider_d(["a b c d", "e f g h"], [["a b c d"], ["e f g h"]])
    assert perfect == pytest.approx(10)
    # Half of the words, no longer n-gram, and one word too many for the Gaussian penalty.
    some = cider_d(["a b x y z", "e f g h"], [["a b c d"], ["e f g h"]])
    singles, pairs = 2 / math.sqrt(5 * 4), 1 / math.sqrt(4 * 3)
    assert some == pytest.approx(10 * (1 + math.exp(-1 / 72) * (singles + pairs) / 4) / 2)
    # A word that both images have says nothing.
    assert cider_d(["a", "a"], [["a"], ["a"]]) == 0


@pytest.mark.parametrize("caption", ["a red 7 above a 3", "a cat sat on mats"])
def test_identical_captions_are_perfect(caption):
    figures = measure([caption, "one two three four"], [[caption], ["one two three four"]])
    assert figures.pop("cider_d") == pytest.approx(10)
    assert list(figures.values()) == pytest.approx([1] * 5)


def test_an_empty_caption_is_worth_nothing():
    assert set(measure([""], [["a cat"]]).values()) == {0}
    assert measure(["", "a b c d"], [["a b c d"], ["a b c d"]])["rouge_l"] == pytest.approx(1 / 2)


def test_one_word_has_no_longer_ngrams():
    figures = measure(["cat", "a dog"], [["cat"], ["a dog"]])
    assert figures["bleu_1"] == pytest.approx(1)
    assert figures["bleu_3"] == pytest.approx((1e-15 / 1e-9) ** (1 / 3))  # the oracle's guards
    # Of the four sizes of n-gram the first caption has one, the second two.
    assert figures["cider_d"] == pytest.approx(10 * (1 / 4 + 2 / 4) / 2)


def test_a_caption_longer_than_its_reference_is_not_brief_but_imprecise():
    figures = measure(["a cat and then some more"], [["a cat"]])
    assert figures["bleu_1"] == pytest.approx(2 / 6)
    assert figures["rouge_l"] == pytest.approx((1 + 1.44) / 3 / (1 + 1.44 / 3))


def test_tokens_are_compared_as_they_stand():
    assert rouge_l(["A cat."], [["a cat"]]) == 0
    assert rouge_l(["  a\tcat "], [["a cat"]]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("made", "references", "words"),
    [
        ([], [], "got 0 captions"),
        (["a"], [["a"], ["b"]], "got 1 captions and 2 lists"),
        (["a", "b"], [["a"], []], r"references\[1\]"),
        (["a"], ["a cat"], r"references\[0\] must be a list"),
    ],
)
def test_what_cannot_be_measured_is_refused(made, references, words):
    with pytest.raises(JaxgenError, match=words):
        measure(made, references)
