"""`jaxgen score CAPTIONS REFERENCES`: figures of a file of captions that can be quoted."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

import jaxgen
from jaxgen.commands import cli
from jaxgen.metrics.captions.base import CaptionMetric
from jaxgen.metrics.captions.score import Score, ScoreConfig, score
from jaxgen.settings.notes import note

_LANGUAGE = {
    "length": ("tokens of a caption", "{:.2f}"),
    "vocabulary": ("different tokens", "{:.0f}"),
    "distinct_1": ("distinct-1", "{:.4f}"),
    "distinct_2": ("distinct-2", "{:.4f}"),
    "distinct_captions": ("distinct captions", "{:.1%}"),
    "self_bleu": ("self-BLEU-4", "{:.4f}"),
    "novel": ("not in training", "{:.1%}"),
    "bad_endings": ("bad endings", "{:.1%}"),
    "empty": ("empty", "{:.1%}"),
}


@dataclass(frozen=True)
class ScoreArguments(ScoreConfig):
    """Measure a file of captions by the references of their images, and say how certain that is."""

    captions: Annotated[Path, tyro.conf.Positional] = dataclasses.field(kw_only=True)
    """Captions, one for each image: COCO's results, [{"image_id", "caption"}, ...], or any form
    that jaxgen captions build takes."""
    references: Annotated[Path, tyro.conf.Positional] = dataclasses.field(kw_only=True)
    """What people wrote of them: COCO's annotations, Karpathy's JSON, or another of those forms."""
    json: bool = False
    """Print everything as JSON, for scripts."""


def main(argv: Sequence[str]) -> int:
    """Measure as the command line says."""
    config = cli.parse_command(ScoreArguments, argv, "jaxgen score")
    found = score(config.captions, config.references, config, jaxgen.__version__)
    for sentence in found.notes:
        note(sentence)
    print(json.dumps(dataclasses.asdict(found)) if config.json else table(found, config.confidence))
    return 0


def table(found: Score, confidence: float) -> str:
    """What was measured, as lines of text."""
    lines, two = [], len(found.systems) == 2
    if two:
        lines += [
            f"{letter}: {its['file']}" for letter, its in zip("AB", found.systems, strict=True)
        ]
    heads = [cell for letter in "AB" for cell in (letter, f"{100 * confidence:g}% interval")]
    heads = [*heads, "B - A", "p"] if two else ["", heads[1]]
    titles = {metric.key: metric.title or metric.key for metric in CaptionMetric.ordered()}
    titles |= {f"bleu_{n}": f"BLEU-{n}" for n in range(1, 5)}
    rows = [("", heads)]
    for key in found.systems[0]["figures"]:
        values = [its["figures"].get(key) for its in found.systems]
        cells = []
        for its, value in zip(found.systems, values, strict=True):
            cells.append("-" if value is None else f"{value:.4f}")
            low, high = its["intervals"].get(key, (None, None))
            cells.append("-" if low is None else f"[{low:.4f}, {high:.4f}]")
        if two:
            p = (found.p_values or {}).get(key)
            cells.append("-" if None in values else f"{values[1] - values[0]:+.4f}")
            cells.append("-" if p is None else f"{p:.4f}")
        rows.append((titles[key], cells))
    for key, (title, form) in _LANGUAGE.items():
        if key in found.systems[0]["language"]:
            values = [form.format(its["language"][key]) for its in found.systems]
            rows.append((title, [cell for value in values for cell in (value, "")]))
    lines += [_row(title, cells) for title, cells in rows]
    return "\n".join([*lines, found.signature])


def _row(title: str, cells: Sequence[Any]) -> str:
    widths = (10, 19) * 2 if len(cells) > 4 or len(cells) == 2 else (10, 19, 10, 19)
    shown = [f"{cell:>{width}}" for cell, width in zip(cells, (*widths, 10, 8), strict=False)]
    return f"{title:20}{''.join(shown)}".rstrip()
