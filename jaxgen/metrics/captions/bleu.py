"""BLEU: how many n-grams of the captions are in the references."""

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from jaxgen.metrics.captions.base import LONGEST, CaptionMetric, References, ngrams

COUNTS = 2 * LONGEST + 2
"""Of an image."""


def bleu(made: Sequence[str], references: References) -> tuple[float, ...]:
    """BLEU of up to 1, 2, 3 and 4 words: precision of n-grams, with a penalty for brevity.

    Counts are summed over the corpus before they are divided. The length that a caption should
    have is that of the reference closest to it in length, the shorter one of two. Equal to the COCO
    caption evaluation (Chen et al. 2015, https://arxiv.org/abs/1504.00325) as pycocoevalcap has it.

    Args:
        made: a caption for each of N images, words separated by spaces; may be empty.
        references: the captions that people wrote for each of these images, one or more.

    Returns:
        Four numbers in [0, 1].

    Reference:
        Papineni et al. 2002, https://aclanthology.org/P02-1040, equations 1 to 3.
    """
    return of_totals(counts(made, references).sum(axis=0))


def counts(made: Sequence[str], references: References) -> np.ndarray:
    """What BLEU sums over the corpus, for each image.

    Args:
        made, references: as for `bleu`.

    Returns:
        int64 (N, `COUNTS`): n-grams that are right, for n from 1 to 4; those that are stated; the
        words of the caption; the words that it should have.
    """
    rows = []
    for caption, some in zip(made, references, strict=True):
        found, length = ngrams(caption), len(caption.split())
        wanted = [ngrams(reference) for reference in some]
        lengths = [len(reference.split()) for reference in some]
        right = [
            sum(
                min(count, max(reference[n][gram] for reference in wanted))
                for gram, count in found[n].items()
            )
            for n in range(LONGEST)
        ]
        stated = [found[n].total() for n in range(LONGEST)]
        closest = min(lengths, key=lambda wanted: (abs(wanted - length), wanted))
        rows.append([*right, *stated, length, closest])
    return np.array(rows, np.int64).reshape(-1, COUNTS)


def of_totals(totals: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    """BLEU of up to 1, 2, 3 and 4 words from the sums of `counts` over a corpus."""
    right, stated = totals[:LONGEST], totals[LONGEST : 2 * LONGEST]
    made_length, wanted_length = (float(total) for total in totals[2 * LONGEST :])
    # The oracle's own guards against division by zero; with few captions they show in the figures.
    tiny, small = 1e-15, 1e-9
    ratio = (made_length + tiny) / (wanted_length + small)
    brevity = math.exp(min(0.0, 1 - 1 / ratio))
    product, scores = 1.0, []
    for n in range(LONGEST):
        product *= (float(right[n]) + tiny) / (float(stated[n]) + small)
        scores.append(brevity * product ** (1 / (n + 1)))
    return tuple(scores)


@functools.lru_cache(maxsize=1)
def _bleu_once(made: tuple[str, ...], references: tuple[tuple[str, ...], ...]) -> tuple[float, ...]:
    return bleu(made, references)


def _up_to(n: int) -> Callable[[Sequence[str], References], float]:
    return lambda made, references: _bleu_once(tuple(made), tuple(map(tuple, references)))[n - 1]


bleu_1 = CaptionMetric("bleu_1", None, "higher", _up_to(1), order=20)
bleu_2 = CaptionMetric("bleu_2", None, "higher", _up_to(2), order=21)
bleu_3 = CaptionMetric("bleu_3", None, "higher", _up_to(3), order=22)
bleu_4 = CaptionMetric("bleu_4", "BLEU-4", "higher", _up_to(4), order=23)
