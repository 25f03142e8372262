"""How good a captioner's captions are: figures beside those of copied captions, as a table.

Which figures there are is what `CaptionMetric.ordered` finds: those of this package, and those of
the user's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.data.captions.vocabulary import UNK
from jaxgen.metrics.captions.base import UNMATCHED, CaptionMetric, References, check
from jaxgen.metrics.truth import measure as truth
from jaxgen.metrics.truth import ranking

_OF_MODEL = ("validation_loss", "validation_perplexity", "reproduced")  # no figures of captions


def measure(
    made: Sequence[str], references: References, *, while_training: bool = False
) -> dict[str, float]:
    """Agreement with references, and faults of the captions themselves.

    Args:
        made: a caption for each of N images, words separated by spaces; may be empty.
        references: the captions that people wrote for each of these images, one or more.
        while_training: only the metrics that are measured as a run trains.

    Returns:
        {key: figure} of every `CaptionMetric` that needs no Java and has one, after `comparable`.
        Of jaxgen's own: `bleu_1` to `bleu_4` and `rouge_l` in [0, 1], `cider_d` in [0, 10], and
        the shares `unk`, `repeated` and `distinct`.

    Raises:
        JaxgenError: there are no captions, not as many as lists of references, an image has none,
            or a metric of the user's own fails or has the key of another.
    """
    check(made, references)
    words = comparable(made)
    figures = {
        metric.key: metric.figure(words, references)
        for metric in CaptionMetric.ordered()
        if not metric.needs_java and (metric.while_training or not while_training)
    }
    return {key: figure for key, figure in figures.items() if figure is not None}


def comparable(made: Sequence[str]) -> list[str]:
    """Captions whose UNKs match nothing, since UNK in a reference stands for some other word."""
    return [caption.replace(UNK, UNMATCHED) for caption in made]


def table(report: Mapping[str, Any]) -> str:
    """The figures of `jaxgen.captioning.quality.CaptionQuality.report` as lines of text."""
    nearest = report["nearest"]
    lines = [f"{name:22}{report[name]:10.3f}" for name in _OF_MODEL if name in report]
    lines.append(f"{'':22}{'model':>10}{'nearest':>10}")
    for metric in CaptionMetric.ordered():
        if metric.title is not None and metric.key in report:
            figures = [some.get(metric.key) for some in (report, nearest)]
            cells = ["-" if x is None else metric.form.format(x) for x in figures]
            lines.append(f"{metric.title:22}" + "".join(f"{cell:>10}" for cell in cells))
    lines.append("nearest: the first caption of the nearest training image")
    if "true" in report:
        lines.append(truth.table(report))
    if "ranked" in report:
        lines.append(ranking.table(report))
    return "\n".join([*lines, *report["notes"]])
