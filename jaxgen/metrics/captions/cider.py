"""CIDEr-D: how much captions agree with the references in n-grams that few images have."""

import math
from collections import Counter
from collections.abc import Sequence

from jaxgen.metrics.captions.base import LONGEST, CaptionMetric, References, ngrams

LENGTH_DEVIATION = 6.0  # of the penalty, in words

Gram = tuple[str, ...]


def cider(made: Sequence[str], references: References) -> float:
    """CIDEr-D: clipped cosine of TF-IDF vectors of n-grams, averaged over references and images.

    The frequency of an n-gram is the number of images that have it in one of the references given,
    so figures of different images, or of different numbers of them, do not compare exactly; of a
    single image it is 0. Equal to the COCO caption evaluation (Chen et al. 2015,
    https://arxiv.org/abs/1504.00325) as pycocoevalcap has it.

    Args:
        made, references: as for `jaxgen.metrics.captions.bleu.bleu`.

    Returns:
        A number in [0, 10]; publications often print it times 100.

    Reference:
        Vedantam et al. 2015, https://arxiv.org/abs/1411.5726, sections 4 and 6, with sigma 6.
    """
    wanted = [[ngrams(reference) for reference in some] for some in references]
    images_with = Counter(
        gram for some in wanted for gram in {g for grams in some for n in grams for g in n}
    )
    rarest = math.log(len(made))
    rarity = {gram: rarest - math.log(count) for gram, count in images_with.items()}

    def vectors(grams: list[Counter[Gram]]) -> list[tuple[dict[Gram, float], float]]:
        """Weights of the n-grams, and their norm, for each n."""
        weights = [{g: k * rarity.get(g, rarest) for g, k in counts.items()} for counts in grams]
        return [(w, math.sqrt(sum(x * x for x in w.values()))) for w in weights]

    total = 0.0
    for caption, some in zip(made, wanted, strict=True):
        grams = ngrams(caption)
        mine = vectors(grams)
        for reference in some:
            longer = grams[0].total() - reference[0].total()
            penalty = math.exp(-(longer**2) / (2 * LENGTH_DEVIATION**2))
            for (a, norm_a), (b, norm_b) in zip(mine, vectors(reference), strict=True):
                if norm_a and norm_b:
                    dot = sum(min(x, b[gram]) * b[gram] for gram, x in a.items() if gram in b)
                    total += penalty * dot / (norm_a * norm_b) / len(some)
    return 10 * total / (LONGEST * len(made))


cider_d = CaptionMetric("cider_d", "CIDEr-D", "higher", cider, order=10, while_training=True)
