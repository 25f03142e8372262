"""The sentences that are written about scenes."""

from jaxgen.data.scenes.rendering import COLOURS, Digit, scenes_of
from jaxgen.data.scenes.sentences import describe


def test_five_different_sentences_of_at_most_15_words(facts):
    for some in describe(scenes_of(facts), seed=0):
        assert len(set(some)) == 5
        assert max(len(sentence.split()) for sentence in some) <= 15


def test_sentences_mention_everything(facts):
    text = " ".join(s for some in describe(scenes_of(facts), seed=0) for s in some)
    for phrase in (
        *COLOURS,
        *"0123456789",
        "small",
        "large",
        "top left",
        "below",
        "to the left of",
    ):
        assert f" {phrase} " in text, phrase


def test_sentences_are_written_as_ever():
    # Origin: describe of version 1; Python keeps the sequence of Random.random. A change makes
    # every cached set stale: raise build.VERSION with it.
    scene = (Digit(3, 0, 1, 0, 0), Digit(8, 1, 0, 1, 1))
    assert describe([scene], seed=0)[0][:3] == [
        "we can see an orange 8 under a red 3",
        "an orange 8 right of a red 3",
        "a red 3 to the left of a little 8",
    ]
