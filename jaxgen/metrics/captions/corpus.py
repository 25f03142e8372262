"""What each image adds to BLEU, ROUGE-L and CIDEr-D: any choice of images is measured at once.

N images, R choices of images, K counts of BLEU.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxgen.metrics.captions import bleu, cider, java, rouge
from jaxgen.metrics.captions.base import LONGEST, References, check

FIGURES = ("cider_d", *(f"bleu_{n}" for n in range(1, LONGEST + 1)), "rouge_l")
"""Keys of what is measured without Java, the most telling first."""


@dataclass(frozen=True)
class Corpus:
    """Captions of N images beside their references.

    BLEU is made of sums over the images, the others are means.
    """

    parts_NK: np.ndarray
    """float64: the counts of BLEU, then ROUGE-L and CIDEr-D, then those of METEOR or none."""

    def figures(self) -> dict[str, float]:
        """The figures of all images: those of the metrics of the same names."""
        return {
            key: float(value[0]) for key, value in self.of_sums(self.parts_NK.sum(0)[None]).items()
        }

    def of_sums(self, sums_RK: np.ndarray) -> dict[str, np.ndarray]:
        """Figures, float64 (R,), from sums over R choices of N images each."""
        counts = bleu.COUNTS
        scores = np.array([bleu.of_totals(row) for row in sums_RK[:, :counts]])
        images = len(self.parts_NK)
        rouge_R, cider_R = sums_RK[:, counts] / images, sums_RK[:, counts + 1] / images
        of_bleu = {f"bleu_{n}": scores[:, n - 1] for n in range(1, LONGEST + 1)}
        found = of_bleu | {"rouge_l": rouge_R, "cider_d": cider_R}
        figures = {key: found[key] for key in FIGURES}
        of_meteor_RK = sums_RK[:, counts + 2 :]
        if of_meteor_RK.shape[1]:
            figures["meteor"] = np.array([java.meteor_of_totals(row) for row in of_meteor_RK])
        return figures

    def with_meteor(self, counts_NK: np.ndarray) -> "Corpus":
        """The same with what `jaxgen.metrics.captions.java.meteor_counts` counted."""
        return Corpus(np.concatenate([self.parts_NK, counts_NK], axis=1))


def measured(
    made: Sequence[str], references: References, frequencies: cider.Frequencies | None = None
) -> Corpus:
    """What each image adds.

    Args:
        made, references: as for `jaxgen.metrics.captions.bleu.bleu`.
        frequencies: of CIDEr-D's n-grams; by default those of the references.

    Returns:
        N images, in their order.

    Raises:
        JaxgenError: there are no captions, not as many as lists of references, or an image has
        none.
    """
    check(made, references)
    parts = (
        bleu.counts(made, references).astype(np.float64),
        rouge.of_images(made, references)[:, None],
        cider.of_images(made, references, frequencies)[:, None],
    )
    return Corpus(np.concatenate(parts, axis=1))
