"""BLEU, ROUGE-L and CIDEr-D of random corpora beside pycocoevalcap, to 1e-9."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxgen.metrics.captions import corpus
from jaxgen.metrics.captions.report import measure

# Words that meet often, in many scripts, and what may stand between them.
WORDS = st.sampled_from(
    "a the dog dogs 's cat n't 猫 Hund läuft é e\u0301 \U0001f600 a\u00adb 1\u00a01/2".split(" ")
)
GAPS = st.sampled_from(
    [" ", " ", " ", " ", "  ", "\t", "\n", "\u00a0", "\u3000", "\x1f", "\u200b", ""]
)
SENTENCES = st.builds(
    lambda pairs, end: "".join(f"{gap}{word}" for gap, word in pairs)[1:] + end,
    st.lists(st.tuples(GAPS, WORDS), max_size=12),
    st.sampled_from(["", "", " ", "\n", "\u2028"]),
)
CORPORA = st.lists(
    st.tuples(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=5)), min_size=1, max_size=12
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(pairs=CORPORA)
def test_random_corpora_with_odd_white_space_and_unicode(pairs, oracle):
    made, references = [made for made, _ in pairs], [some for _, some in pairs]
    if not any(sentence.split() for some in references for sentence in some):
        return  # pycocoevalcap's CIDEr-D takes no corpus without a word
    expected = oracle(made, references)
    assert corpus.measured(made, references).figures() == pytest.approx(expected, rel=0, abs=1e-9)
    found = measure(made, references)
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=0, abs=1e-9)


def test_captions_like_those_of_coco(oracle):
    """A corpus of 400 images with five references, cut into tokens."""
    from jaxgen.metrics.captions.tokens import ptb
    from tests.metrics.captions.tokens import corpus as texts

    lines = [ptb.tokenise(text) for text in texts.captions(2, 400 * 6)]
    made, references = lines[:400], [lines[400 + 5 * i : 405 + 5 * i] for i in range(400)]
    made = [
        f"{a} {b}" if i % 2 else b for i, (a, b) in enumerate(zip(made, lines[400::5], strict=True))
    ]
    found, expected = corpus.measured(made, references).figures(), oracle(made, references)
    assert found == pytest.approx(expected, rel=0, abs=1e-9)
    assert all(value > 0.1 for value in found.values())
