"""The reward of truth against the judge of strings."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxgen.captioning.rewards.truth import Truth
from jaxgen.data.captions.base import CaptionData, Features, Split
from jaxgen.data.captions.vocabulary import SPECIAL, Vocabulary
from jaxgen.data.scenes.rendering import sample_facts, scenes_of
from jaxgen.data.scenes.sentences import describe
from jaxgen.errors import JaxgenError
from jaxgen.metrics.truth.measure import judge

SCENES = scenes_of(sample_facts(np.random.default_rng(3), 60))
SENTENCES = describe(SCENES, seed=3)
VOCABULARY = Vocabulary(
    [*SPECIAL, *sorted({w for some in SENTENCES for s in some for w in s.split()})]
)
LENGTH = 17


@pytest.fixture(scope="module")
def data():
    captions = {
        "captions": np.stack([VOCABULARY.encode(some[0], LENGTH) for some in SENTENCES]),
        "image_index": np.arange(len(SCENES), dtype=np.int32),
    }
    split = Split(captions, Features.of(np.zeros((len(SCENES), 2))), [""] * len(SCENES))
    return CaptionData(split, split, VOCABULARY, train_facts=SCENES)


def test_it_pays_what_is_told_and_charges_what_is_false(data):
    others = [SENTENCES[-1 - image] for image in range(len(SCENES))]
    made = [[some[0], other[0], "a red", other[1]] for some, other in zip(SENTENCES, others)]  # noqa: B905
    words = np.array([[VOCABULARY.encode(s, LENGTH)[1:] for s in some] for some in made])
    scorer = Truth(relation=3.0, charge=2.0).scorer(data, True)
    found = np.asarray(jax.jit(scorer.score)(scorer.shared, scorer.of_images, words))
    assert found.dtype == np.float32
    for image, (some, scene) in enumerate(zip(made, SCENES, strict=True)):
        for column, caption in enumerate(some):
            verdict = judge(caption, scene)
            false = verdict.stated - verdict.right
            earned = verdict.told + 3 * verdict.relations_right - 2 * false
            wanted = max(-1, earned / (5 * len(scene))) if verdict.is_readable else -1
            assert found[image, column] == pytest.approx(wanted, rel=1e-6)
    assert (found[:, 0] > 0).all()
    assert found[:, 1].mean() < 0
    assert ((found[:, 1] > -1) & (found[:, 1] < 0)).any()
    assert (found[:, 2] == -1).all()


def test_a_caption_that_breaks_off_cannot_be_read_where_end_counts(data):
    whole = np.stack([VOCABULARY.encode(some[0], LENGTH)[1:] for some in SENTENCES])[:, None]
    cut = np.where(whole == VOCABULARY.end, VOCABULARY.null, whole)
    for count_end in (False, True):
        scorer = Truth().scorer(data, count_end)
        ended, broken = (scorer.score(scorer.shared, scorer.of_images, w) for w in (whole, cut))
        assert (np.asarray(ended) > 0).all()
        np.testing.assert_array_equal(broken, -1 if count_end else ended)


def test_other_sets_than_scenes_and_characters_are_refused(data):
    with pytest.raises(JaxgenError, match="has to know what is in the training images"):
        Truth().scorer(dataclasses.replace(data, train_facts=None), True)
    spelled = dataclasses.replace(data, vocabulary=Vocabulary(VOCABULARY.words, "characters"))
    with pytest.raises(JaxgenError, match=r"data\.units words"):
        Truth().scorer(spelled, True)
