"""How much captions agree with captions that people wrote: BLEU, ROUGE-L and CIDEr-D.

Figures of a corpus, in Python alone, equal to those of the COCO caption evaluation (Chen et al.
2015, https://arxiv.org/abs/1504.00325) as the package pycocoevalcap has it.

Tokens are what stands between white space, compared as it stands: nothing is lower-cased and no
punctuation is removed. jaxgen's captions are lower-case words without punctuation, so nothing is
lost; other text has to be brought to that form first, the captions and the references alike (the
published figures on COCO are of the lower-cased tokens of Stanford's PTB tokenizer, without
punctuation). METEOR and SPICE are in `captions_java`.
"""

import math
from collections import Counter
from collections.abc import Sequence

from jaxgen.errors import JaxgenError

_LONGEST = 4  # words of an n-gram
_LENGTH_DEVIATION = 6.0  # of CIDEr-D's penalty, in words
_RECALL_WEIGHT = 1.2  # of ROUGE-L

References = Sequence[Sequence[str]]


def measure(made: Sequence[str], references: References) -> dict[str, float]:
    """All figures of this module.

    Args:
      made: a caption for each of N images, words separated by spaces; may be empty.
      references: the captions that people wrote for each of these images, one or more.

    Returns:
      `bleu_1` to `bleu_4` and `rouge_l` in [0, 1], `cider_d` in [0, 10].

    Raises:
      JaxgenError: there are no captions, not as many as lists of references, or an image has none.
    """
    _check(made, references)
    figures = {f"bleu_{n}": value for n, value in enumerate(bleu(made, references), 1)}
    return figures | {
        "rouge_l": rouge_l(made, references),
        "cider_d": cider_d(made, references),
    }


def bleu(made: Sequence[str], references: References) -> tuple[float, ...]:
    """BLEU of up to 1, 2, 3 and 4 words: precision of n-grams, with a penalty for brevity.

    Counts are summed over the corpus before they are divided. The length that a caption should
    have is that of the reference closest to it in length, the shorter one of two.

    Args:
      made, references: as for `measure`.

    Returns:
      Four numbers in [0, 1].

    Reference:
      Papineni et al. 2002, https://aclanthology.org/P02-1040, equations 1 to 3.
    """
    right, stated = [0] * _LONGEST, [0] * _LONGEST
    made_length = wanted_length = 0
    for caption, some in zip(made, references, strict=True):
        found, length = _ngrams(caption), len(caption.split())
        wanted = [_ngrams(reference) for reference in some]
        lengths = [len(reference.split()) for reference in some]
        made_length += length
        wanted_length += min(lengths, key=lambda wanted: (abs(wanted - length), wanted))
        for n in range(_LONGEST):
            stated[n] += found[n].total()
            right[n] += sum(
                min(count, max(reference[n][gram] for reference in wanted))
                for gram, count in found[n].items()
            )
    # The oracle's own guards against division by zero; with few captions they show in the figures.
    tiny, small = 1e-15, 1e-9
    ratio = (made_length + tiny) / (wanted_length + small)
    brevity = math.exp(min(0.0, 1 - 1 / ratio))
    product, scores = 1.0, []
    for n in range(_LONGEST):
        product *= (right[n] + tiny) / (stated[n] + small)
        scores.append(brevity * product ** (1 / (n + 1)))
    return tuple(scores)


def rouge_l(made: Sequence[str], references: References) -> float:
    """ROUGE-L: F-measure of the longest common subsequence, averaged over images.

    Precision and recall are each the best over an image's references, as in the COCO evaluation.

    Args:
      made, references: as for `measure`.

    Returns:
      A number in [0, 1].

    Reference:
      Lin 2004, https://aclanthology.org/W04-1013, section 3, with beta 1.2.
    """
    weight = _RECALL_WEIGHT**2
    total = 0.0
    for caption, some in zip(made, references, strict=True):
        # One word that is empty stands for no words, so that nobody divides by zero.
        words, wanted = caption.split() or [""], [reference.split() or [""] for reference in some]
        common = _longest_common(words, wanted)
        precision = max(common) / len(words)
        recall = max(c / len(reference) for c, reference in zip(common, wanted, strict=True))
        if precision and recall:
            total += (1 + weight) * precision * recall / (recall + weight * precision)
    return total / len(made)


def cider_d(made: Sequence[str], references: References) -> float:
    """CIDEr-D: clipped cosine of TF-IDF vectors of n-grams, averaged over references and images.

    The frequency of an n-gram is the number of images that have it in one of the references given,
    so figures of different images, or of different numbers of them, do not compare exactly; of a
    single image it is 0.

    Args:
      made, references: as for `measure`.

    Returns:
      A number in [0, 10]; publications often print it times 100.

    Reference:
      Vedantam et al. 2015, https://arxiv.org/abs/1411.5726, sections 4 and 6, with sigma 6.
    """
    wanted = [[_ngrams(reference) for reference in some] for some in references]
    images_with = Counter(
        gram for some in wanted for gram in {g for grams in some for n in grams for g in n}
    )
    rarest = math.log(len(made))
    rarity = {gram: rarest - math.log(count) for gram, count in images_with.items()}

    def vectors(grams: list[Counter]) -> list[tuple[dict, float]]:
        """Weights of the n-grams, and their norm, for each n."""
        weights = [{g: k * rarity.get(g, rarest) for g, k in counts.items()} for counts in grams]
        return [(w, math.sqrt(sum(x * x for x in w.values()))) for w in weights]

    total = 0.0
    for caption, some in zip(made, wanted, strict=True):
        grams = _ngrams(caption)
        mine = vectors(grams)
        for reference in some:
            longer = grams[0].total() - reference[0].total()
            penalty = math.exp(-(longer**2) / (2 * _LENGTH_DEVIATION**2))
            for (a, norm_a), (b, norm_b) in zip(mine, vectors(reference), strict=True):
                if norm_a and norm_b:
                    dot = sum(min(x, b[gram]) * b[gram] for gram, x in a.items() if gram in b)
                    total += penalty * dot / (norm_a * norm_b) / len(some)
    return 10 * total / (_LONGEST * len(made))


def _check(made: Sequence[str], references: References) -> None:
    if not made or len(made) != len(references):
        raise JaxgenError(
            f"each caption needs its list of references: got {len(made)} captions and "
            f"{len(references)} lists of references"
        )
    for image, some in enumerate(references):
        if isinstance(some, str) or not some:
            raise JaxgenError(f"references[{image}] must be a list of at least one caption")


def _ngrams(caption: str) -> list[Counter]:
    """How often each n-gram is in a caption, for n from 1 to 4."""
    words = caption.split()
    return [
        Counter(zip(*(words[start:] for start in range(n)), strict=False))
        for n in range(1, _LONGEST + 1)
    ]


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
