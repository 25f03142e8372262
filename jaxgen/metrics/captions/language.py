"""What captions are like, whatever the images show: how varied, how new, how long, how they end."""

import itertools
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from jaxgen.metrics.captions import bleu
from jaxgen.metrics.captions.base import LONGEST, ngrams

BAD_ENDINGS = frozenset("a an at for her his in of on that the this to with".split())
"""Words after which a caption is not finished, those of self-critical.pytorch (Luo et al. 2018)."""


def measured(captions: Sequence[str], training: Collection[str] | None = None) -> dict[str, float]:
    """Figures of captions by themselves.

    Args:
        captions: one for each image, tokens separated by spaces; may be empty.
        training: the captions that a captioner was trained on, in the same tokens.

    Returns:
        `length`, the mean number of tokens; `vocabulary`, how many different tokens there are;
        `distinct_1` and `distinct_2`, different n-grams for each n-gram (Li et al. 2016,
        https://aclanthology.org/N16-1014); `distinct_captions`, different captions for each
        caption; `self_bleu`, BLEU-4 of the captions where each has all others as references (Zhu et
        al. 2018, https://arxiv.org/abs/1802.01886), of the corpus; `bad_endings`, the share that
        ends in one of `BAD_ENDINGS`; `empty`, the share without tokens; with `training` also
        `novel`, the share of captions that are not among those.
    """
    words = [caption.split() for caption in captions]
    pairs = Counter(pair for some in words for pair in itertools.pairwise(some))
    singles = Counter(word for some in words for word in some)
    figures = {
        "length": singles.total() / len(words),
        "vocabulary": float(len(singles)),
        "distinct_1": len(singles) / max(1, singles.total()),
        "distinct_2": len(pairs) / max(1, pairs.total()),
        "distinct_captions": len(set(captions)) / len(captions),
    }
    if len(captions) > 1:
        figures["self_bleu"] = self_bleu(captions)
    figures["bad_endings"] = sum(bool(some) and some[-1] in BAD_ENDINGS for some in words) / len(
        words
    )
    figures["empty"] = sum(not some for some in words) / len(words)
    if training is not None:
        known = {" ".join(caption.split()) for caption in training}
        figures["novel"] = sum(" ".join(some) not in known for some in words) / len(words)
    return figures


def self_bleu(captions: Sequence[str]) -> float:
    """BLEU-4 of a corpus in which the references of each caption are all the other ones.

    Args:
        captions: N, at least 2.

    Returns:
        A number in [0, 1], `jaxgen.metrics.captions.bleu.bleu` of N captions with N - 1 references
        each, in time that grows as N.
    """
    found = [ngrams(caption) for caption in captions]
    lengths = np.array([len(caption.split()) for caption in captions])
    # How often an n-gram is in the caption that has it most often, and in the one after it.
    most: dict[tuple[str, ...], tuple[int, int]] = {}
    for counts in found:
        for n in counts:
            for gram, count in n.items():
                first, second = most.get(gram, (0, 0))
                most[gram] = (max(first, count), max(second, min(first, count)))
    common = np.bincount(lengths)
    totals = np.zeros(bleu.COUNTS)
    for counts, length in zip(found, lengths, strict=True):
        for n in range(LONGEST):
            for gram, count in counts[n].items():
                first, second = most[gram]
                totals[n] += min(count, second if count == first else first)
            totals[LONGEST + n] += counts[n].total()
        common[length] -= 1
        others = np.flatnonzero(common)
        common[length] += 1
        totals[-2:] += length, others[np.argmin(np.abs(others - length))]  # the shorter of two
    return bleu.of_totals(totals)[-1]
