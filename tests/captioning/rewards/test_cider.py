"""CIDEr-D on the device against the metric of strings, caption by caption."""

import jax
import numpy as np
import pytest

from jaxgen.captioning.rewards import ngrams
from jaxgen.captioning.rewards.cider import Cider
from jaxgen.data.captions.base import CaptionData, Features, Split
from jaxgen.data.captions.vocabulary import SPECIAL, UNK, Vocabulary
from jaxgen.errors import JaxgenError
from jaxgen.metrics.captions.cider import cider
from jaxgen.metrics.captions.report import comparable

VOCABULARY = Vocabulary([*SPECIAL, *"abcdefgh"])
IMAGES, LENGTH, EACH = 40, 11, 6


def sentence(rng, longest=LENGTH - 2):
    """Few words, so that n-grams recur within a caption and among images; UNK is one of them."""
    words = [*"aabbcdefgh", UNK]
    return " ".join(rng.choice(words, rng.integers(1, longest + 1)))


@pytest.fixture(scope="module")
def references():
    rng = np.random.default_rng(0)
    return [[sentence(rng) for _ in range(rng.integers(1, 5))] for _ in range(IMAGES)]


@pytest.fixture(scope="module")
def data(references):
    pairs = [(image, s) for image, some in enumerate(references) for s in some]
    np.random.default_rng(1).shuffle(pairs)
    pairs = [(int(image), str(s)) for image, s in pairs]
    captions = {
        "captions": np.stack([VOCABULARY.encode(s, LENGTH) for _, s in pairs]),
        "image_index": np.array([image for image, _ in pairs], np.int32),
    }
    # The last image has no caption: it is in no frequency, and no batch has it.
    split = Split(captions, Features.of(np.zeros((IMAGES + 1, 2))), [""] * (IMAGES + 1))
    return CaptionData(split, split, VOCABULARY)


@pytest.fixture(scope="module")
def made(references):
    """For each image: unrelated captions, its own, one cut short, one that repeats, none at all."""
    rng = np.random.default_rng(2)
    return [
        [sentence(rng), sentence(rng, 3), some[0], some[-1].split()[0], "a a a a b a a b", ""]
        for some in references
    ]


def rewards(data, made, count_end):
    scorer = Cider().scorer(data, count_end)
    words = np.array([[VOCABULARY.encode(s, LENGTH + 2)[1:] for s in some] for some in made])
    rows = jax.tree.map(lambda x: x[:IMAGES], scorer.of_images)
    return np.asarray(jax.jit(scorer.score)(scorer.shared, rows, words))


@pytest.mark.parametrize("count_end", [False, True])
def test_it_is_the_metric_to_rounding(data, references, made, count_end):
    found = rewards(data, made, count_end)
    assert found.shape == (IMAGES, EACH)
    assert found.dtype == np.float32
    ending = " <END>" if count_end else ""
    wanted_references = [[s + ending for s in some] for some in references]

    def metric(column):
        captions = comparable([some[column] for some in made])
        return cider([s + ending for s in captions], wanted_references)

    # The mean over images is the metric of these captions.
    for column in range(EACH):
        assert found[:, column].mean() == pytest.approx(metric(column), rel=2e-6, abs=1e-7)
    # And so is each by itself, as the difference that one caption makes.
    basis = [some[0] + ending for some in comparable_rows(made)]
    whole = cider(basis, wanted_references) * IMAGES
    for image in range(0, IMAGES, 3):
        for column in range(1, EACH):
            changed = list(basis)
            changed[image] = comparable_rows(made)[image][column] + ending
            difference = cider(changed, wanted_references) * IMAGES - whole
            assert found[image, column] - found[image, 0] == pytest.approx(difference, abs=2e-5)
    assert found.max() > 2


def comparable_rows(made):
    return [comparable(some) for some in made]


def test_a_caption_that_breaks_off_earns_less_only_where_end_counts(data, references):
    longest = [max(some, key=len) for some in references]
    ended = np.array([[VOCABULARY.encode(s, LENGTH + 2)[1:]] for s in longest])
    cut = np.where(ended == VOCABULARY.end, VOCABULARY.null, ended)
    differences = {}
    for count_end in (False, True):
        scorer = Cider().scorer(data, count_end)
        rows = jax.tree.map(lambda x: x[:IMAGES], scorer.of_images)
        whole, broken = (scorer.score(scorer.shared, rows, words) for words in (ended, cut))
        differences[count_end] = np.asarray(whole - broken)
    np.testing.assert_array_equal(differences[False], 0)
    # END alone is rare nowhere; what it ends is.
    assert (differences[True] > 0.01).mean() > 0.7
    assert differences[True].mean() > 0.2


def test_numbers_of_ngrams_are_those_of_a_dictionary():
    rng = np.random.default_rng(3)
    captions = rng.integers(1, 6, (30, 9))
    captions[np.arange(9)[None] >= rng.integers(1, 10, 30)[:, None]] = 0
    found = ngrams.ngrams(captions, 0, 6, 4)
    asked = rng.integers(0, 7, (50, 7))  # 6 is a word outside of the vocabulary
    numbers = ngrams.numbers([f.level for f in found], tuple(f.most for f in found), asked)
    for n, (one, number) in enumerate(zip(found, numbers, strict=True), start=1):
        known = {}
        for caption, of_caption in zip(captions, one.number_CT, strict=True):
            for start, index in enumerate(of_caption):
                gram = tuple(caption[start : start + n])
                assert (index >= 0) == (0 not in gram)
                if index >= 0:
                    assert known.setdefault(gram, index) == index
        assert sorted(known.values()) == list(range(len(one.level.last_word)))
        for caption, of_caption in zip(asked, np.asarray(number), strict=True):
            for start, index in enumerate(of_caption):
                assert index == known.get(tuple(caption[start : start + n]), -1)


def test_captions_shorter_than_an_ngram_and_characters(data):
    short = Split(
        {
            "captions": np.array([[1, 4, 2], [1, 5, 2]], np.int32),
            "image_index": np.array([0, 1], np.int32),
        },
        Features.of(np.zeros((2, 2))),
        ["", ""],
    )
    scorer = Cider().scorer(CaptionData(short, short, VOCABULARY), False)
    words = np.array([[[4, 2]], [[4, 2]]])
    found = np.asarray(scorer.score(scorer.shared, scorer.of_images, words))[:, 0]
    assert found == pytest.approx([cider(["a", "b"], [["a"], ["b"]]), 0], abs=1e-6)
    spelled = CaptionData(short, short, Vocabulary([*SPECIAL, "a", "b"], "characters"))
    with pytest.raises(JaxgenError, match=r"data.units words"):
        Cider().scorer(spelled, False)
