"""What a captioner's captions are worth: figures beside those of copied captions, as a table."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from jaxgen.data.captions.vocabulary import UNK
from jaxgen.metrics.captions import scores as captions
from jaxgen.metrics.captions.scores import References
from jaxgen.metrics.truth import measure as truth

_UNMATCHED = "<UNMATCHED>"
_NUMBERS = {
    "cider_d": "CIDEr-D",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "meteor": "METEOR",
    "spice": "SPICE",
}
_SHARES = {
    "true": "entirely true",
    "facts_told": "facts told",
    "unk": "unknown words",
    "repeated": "repeated captions",
    "distinct": "distinct captions",
}


def measure(made: Sequence[str], references: References) -> dict[str, float]:
    """Agreement with references, and what is the matter with the captions themselves.

    Args:
      made, references: as for `captions.measure`.

    Returns:
      The figures of `captions.measure`, after `comparable`, and shares in [0, 1]: `unk`, of UNK
      among the words; `repeated`, of captions that another image got too; `distinct`, different
      captions for each image (1 if no two are the same).

    Raises:
      JaxgenError: as `captions.measure`.
    """
    words = [word for caption in made for word in caption.split()]
    times = Counter(made)
    return captions.measure(comparable(made), references) | {
        "unk": words.count(UNK) / max(1, len(words)),
        "repeated": sum(count for count in times.values() if count > 1) / len(made),
        "distinct": len(times) / len(made),
    }


def comparable(made: Sequence[str]) -> list[str]:
    """Captions whose UNKs match nothing: that of a reference stands for a word nobody guessed."""
    return [caption.replace(UNK, _UNMATCHED) for caption in made]


def table(report: dict[str, Any]) -> str:
    """The figures of `captioning_quality.Judge.report` as lines of text."""
    nearest = report["nearest"]
    lines = [
        f"{name:18}{report[name]:10.3f}"
        for name in ("val_loss", "val_perplexity", "reproduced")
        if name in report
    ]
    lines.append(f"{'':18}{'model':>10}{'nearest':>10}")
    for names, form in ((_NUMBERS, "{:.3f}"), (_SHARES, "{:.1%}")):
        for name, words in names.items():
            if name in report:
                cells = [
                    form.format(some[name]) if name in some else "-" for some in (report, nearest)
                ]
                lines.append(f"{words:18}" + "".join(f"{cell:>10}" for cell in cells))
    lines.append("nearest: the first caption of the nearest training image")
    if "true" in report:
        lines.append(truth.table(report))
    return "\n".join([*lines, *report["notes"]])
