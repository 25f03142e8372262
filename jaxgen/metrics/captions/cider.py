"""CIDEr-D: how much captions agree with the references in n-grams that few images have."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jaxgen.metrics.captions.base import LONGEST, CaptionMetric, References, ngrams

LENGTH_DEVIATION = 6.0  # of the penalty, in words

Gram = tuple[str, ...]


@dataclass(frozen=True)
class Frequencies:
    """In how many images of a corpus an n-gram is in one of the captions."""

    images: int
    images_with: Mapping[Gram, int]

    @classmethod
    def of(cls, references: References) -> "Frequencies":
        """Those of the captions that people wrote of some images."""
        grams = ({g for caption in some for n in ngrams(caption) for g in n} for some in references)
        return cls(len(references), Counter(gram for of_image in grams for gram in of_image))


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
    return float(of_images(made, references).mean())


def of_images(
    made: Sequence[str], references: References, frequencies: Frequencies | None = None
) -> np.ndarray:
    """CIDEr-D of each image.

    Args:
        made, references: as for `cider`.
        frequencies: of n-grams; by default those of the references.

    Returns:
        float64 (N,) in [0, 10].
    """
    frequencies = frequencies or Frequencies.of(references)
    rarest = math.log(frequencies.images)
    rarity = {gram: rarest - math.log(n) for gram, n in frequencies.images_with.items()}

    def vectors(grams: list[Counter[Gram]]) -> list[tuple[dict[Gram, float], float]]:
        """Weights of the n-grams, and their norm, for each n."""
        weights = [{g: k * rarity.get(g, rarest) for g, k in counts.items()} for counts in grams]
        return [(w, math.sqrt(sum(x * x for x in w.values()))) for w in weights]

    figures = np.zeros(len(made))
    for image, (caption, some) in enumerate(zip(made, references, strict=True)):
        grams = ngrams(caption)
        mine, total = vectors(grams), 0.0
        for reference in map(ngrams, some):
            longer = grams[0].total() - reference[0].total()
            penalty = math.exp(-(longer**2) / (2 * LENGTH_DEVIATION**2))
            for (a, norm_a), (b, norm_b) in zip(mine, vectors(reference), strict=True):
                if norm_a and norm_b:
                    dot = sum(min(x, b[gram]) * b[gram] for gram, x in a.items() if gram in b)
                    total += penalty * dot / (norm_a * norm_b)
        figures[image] = 10 * total / (LONGEST * len(some))
    return figures


cider_d = CaptionMetric("cider_d", "CIDEr-D", "higher", cider, order=10, while_training=True)
