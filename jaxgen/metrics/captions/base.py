"""What a metric of captions is, and what it is given.

A metric of your own is a variable in any file that is imported:

    length = CaptionMetric("length", "words of a caption", "higher", mean_length)

Tokens are what stands between white space, compared as it stands: nothing is lower-cased and no
punctuation is removed. jaxgen's captions are lower-case words without punctuation, so nothing is
lost; other text has to be brought to that form first, the captions and the references alike (the
published figures on COCO are of the lower-cased tokens of Stanford's PTB tokenizer, without
punctuation).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from jaxgen.errors import JaxgenError
from jaxgen.metrics.base import Metric

LONGEST = 4  # words of an n-gram
SHARE = "{:.1%}"
UNMATCHED = "<UNMATCHED>"

References = Sequence[Sequence[str]]
"""For each image the captions that people wrote, one or more."""


@dataclass(frozen=True)
class CaptionMetric(Metric):
    """A figure of captions, one for each image, beside those that people wrote."""

    home: ClassVar[str] = "jaxgen.metrics.captions"
    taken: ClassVar[frozenset[str]] = frozenset(
        {"validation_loss", "validation_perplexity", "reproduced", "nearest", "notes"}
    )

    better: Literal["lower", "higher"]
    """Which figures are better."""

    measure: Callable[[Sequence[str], References], float | None] | None
    """(made, references) -> the figure; None of what is measured elsewhere and only shown here.

    In `made`, the word `UNMATCHED` stands for one outside the vocabulary: it is in no reference.
    """

    form: str = field(default="{:.3f}", kw_only=True)
    """How the table writes the figure."""

    needs_java: bool = field(default=False, kw_only=True)
    """Whether it starts programs that are slow and may not be there: its figure may be missing."""


def check(made: Sequence[str], references: References) -> None:
    """Refuses captions and references that do not belong together.

    Raises:
        JaxgenError: there are no captions, not as many as lists of references, or an image has
            none.
    """
    if not made or len(made) != len(references):
        raise JaxgenError(
            f"each caption needs its list of references: got {len(made)} captions and "
            f"{len(references)} lists of references"
        )
    for image, some in enumerate(references):
        if isinstance(some, str) or not some:
            raise JaxgenError(f"references[{image}] must be a list of at least one caption")


def ngrams(caption: str) -> list[Counter[tuple[str, ...]]]:
    """How often each n-gram is in a caption, for n from 1 to `LONGEST`."""
    words = caption.split()
    return [
        Counter(zip(*(words[start:] for start in range(n)), strict=False))
        for n in range(1, LONGEST + 1)
    ]
