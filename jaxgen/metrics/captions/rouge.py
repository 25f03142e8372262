"""ROUGE-L: how much of the captions is, in order, in the references."""

from collections.abc import Sequence

import numpy as np

from jaxgen.metrics.captions.base import CaptionMetric, References

_RECALL_WEIGHT = 1.2


def rouge(made: Sequence[str], references: References) -> float:
    """ROUGE-L: F-measure of the longest common subsequence, averaged over images.

    Precision and recall are each the best over an image's references, as in the COCO caption
    evaluation (Chen et al. 2015, https://arxiv.org/abs/1504.00325) in pycocoevalcap.

    Args:
        made, references: as for `jaxgen.metrics.captions.bleu.bleu`.

    Returns:
        A number in [0, 1].

    Reference:
        Lin 2004, https://aclanthology.org/W04-1013, section 3, with beta 1.2.
    """
    return float(of_images(made, references).mean())


def of_images(made: Sequence[str], references: References) -> np.ndarray:
    """ROUGE-L of each image, float64 (N,).

    As in the oracle words stand between single spaces, so that two spaces have an empty word
    between them, and any other white space is part of a word.
    """
    weight = _RECALL_WEIGHT**2
    figures = np.zeros(len(made))
    for image, (caption, some) in enumerate(zip(made, references, strict=True)):
        words, wanted = caption.split(" "), [reference.split(" ") for reference in some]
        common = _longest_common(words, wanted)
        precision = max(common) / len(words)
        recall = max(c / len(reference) for c, reference in zip(common, wanted, strict=True))
        if precision and recall:
            figures[image] = (1 + weight) * precision * recall / (recall + weight * precision)
    return figures


def _longest_common(words: list[str], others: list[list[str]]) -> list[int]:
    """Length of the longest common subsequence of `words` with each of the others.

    Whole rows of the dynamic program at once, as bits of one integer that are 0 where the length
    grows: Hyyrö 2004, "Bit-parallel LCS-length computation revisited".
    """
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(words)) - 1
    lengths = []
    for other in others:
        row = every
        for word in other:
            matches = row & places.get(word, 0)
            row = (row + matches) | (row - matches)
        lengths.append(len(words) - (row & every).bit_count())
    return lengths


rouge_l = CaptionMetric("rouge_l", "ROUGE-L", "higher", rouge, order=30)
