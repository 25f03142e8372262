"""Faults of captions themselves: unknown words, and the same caption again."""

from collections import Counter
from collections.abc import Sequence

from jaxgen.data.captions.vocabulary import UNK
from jaxgen.metrics.captions.base import SHARE, UNMATCHED, CaptionMetric, References


def unknown_share(made: Sequence[str], _: References = ()) -> float:
    """Share of the words that stand for one outside the vocabulary, in [0, 1]."""
    words = [word for caption in made for word in caption.split()]
    return (words.count(UNK) + words.count(UNMATCHED)) / max(1, len(words))


def repeated_share(made: Sequence[str], _: References = ()) -> float:
    """Share of the captions that another image got too, in [0, 1]."""
    return sum(count for count in Counter(made).values() if count > 1) / len(made)


def distinct_share(made: Sequence[str], _: References = ()) -> float:
    """Different captions for each image, above 0; 1 if no two are the same."""
    return len(set(made)) / len(made)


unk = CaptionMetric("unk", "unknown words", "lower", unknown_share, order=60, form=SHARE)
repeated = CaptionMetric(
    "repeated", "repeated captions", "lower", repeated_share, order=61, form=SHARE
)
distinct = CaptionMetric(
    "distinct", "distinct captions", "higher", distinct_share, order=62, form=SHARE
)
