"""Curves of a report: what its charts draw, the same as SVG where no script runs, and as words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.display.report import thinning
from jaxgen.display.report.comparison import Comparison, Group
from jaxgen.display.report.html import element, text

_MOST_POINTS, _FEWEST_POINTS = 48_000, 120  # of all curves together; of one
_MOST_OF_ONE = 2400
_MOST_PANELS, _MOST_CURVES = 40, 24
COLOURS = 10
_LARGEST = 1e100
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 200, 72, 22


def panels(comparison: Comparison) -> list[dict[str, Any]]:
    """What each chart shows: a curve for each run's metric, of several seeds mean and band.

    Metrics that share what follows the last `_` in a loss share a chart, so that `d_loss` and
    `g_loss` can be compared. Curves are thinned so that the page stays small; no extreme is lost.
    """
    known = dict.fromkeys(name for run in comparison.runs for name in run.curves)
    names = sorted(known, key=lambda name: _rank(comparison, name))
    families: dict[str, list[str]] = {}
    for name in names:
        family = name.rsplit("_", 1)[-1] if name.endswith("_loss") and name[:-5] in "dg" else name
        families.setdefault(family, []).append(name)
    chosen = dict(list(families.items())[:_MOST_PANELS])
    several = len(comparison.runs) > 1
    count = sum(min(len(comparison.groups), _MOST_CURVES) * len(own) for own in chosen.values())
    most = max(_FEWEST_POINTS, min(_MOST_OF_ONE, _MOST_POINTS // max(1, count)))
    found = []
    for family, own in chosen.items():
        curves = []
        for name in own:
            for place, group in enumerate(comparison.groups[:_MOST_CURVES]):
                label = f"{name}, {group.label}" if several and len(own) > 1 else name
                label = group.label if several and len(own) == 1 else label
                colour = place if several else own.index(name)
                scale = comparison.words(name).scale
                if curve := _curve(group, name, label, colour, own.index(name), most, scale):
                    curves.append(curve)
        title = " and ".join(own)
        if len(own) == 1 and family in comparison.figures:
            title = comparison.words(family).title
        found.append({"title": title, "curves": curves})
    # What was taken once is a figure, and no curve.
    return [panel for panel in found if any(len(curve["x"]) > 1 for curve in panel["curves"])]


def _rank(comparison: Comparison, name: str) -> tuple[int, int]:
    """Losses first, then figures as they are important, then the rest."""
    if "loss" in name:
        return 0, 0
    is_known = any(name in run.words for run in comparison.runs)
    return (1, comparison.figures.index(name)) if is_known else (2, 0)


def _curve(
    group: Group, name: str, label: str, colour: int, dash: int, most: int, scale: float
) -> dict[str, Any] | None:
    """One curve, of the mean where a group has several seeds."""
    series = [own for run in group.runs for own in run.curves.get(name, ()) if len(own[0])]
    if not series:
        return None
    # Of what is beyond all measure the rest would not be seen.
    within = [(at, np.clip(values * scale, -_LARGEST, _LARGEST)) for at, values in series]
    steps, mean, spread = thinning.together(within)
    has_band = len(series) > 1 and not np.isnan(spread).all()
    low, high = mean - spread, mean + spread
    kept = thinning.places([mean, low, high] if has_band else [mean], most)
    lowest, highest = int(np.argmin(mean)), int(np.argmax(mean))
    curve: dict[str, Any] = {
        "label": label,
        "colour": colour % COLOURS,
        "dash": dash,
        "seeds": len(series),
        "x": steps[kept].tolist(),
        "y": _rounded(mean[kept]),
        "told": {
            "points": len(steps),
            "last": [int(steps[-1]), float(mean[-1])],
            "lowest": [int(steps[lowest]), float(mean[lowest])],
            "highest": [int(steps[highest]), float(mean[highest])],
        },
    }
    if has_band:
        curve |= {"low": _rounded(low[kept]), "high": _rounded(high[kept])}
    if smoothed := thinning.smooth([steps.astype(float), mean, low, high]):
        across, middle, below, above = smoothed
        curve |= {"sx": _rounded(across), "sy": _rounded(middle)}
        if has_band:
            curve |= {"slow": _rounded(below), "shigh": _rounded(above)}
    return curve


def _rounded(values: np.ndarray) -> list[float | None]:
    """Five digits, which is more than any screen shows; None for what is missing."""
    return [None if math.isnan(v) else float(f"{v:.5g}") for v in values.tolist()]


def in_words(panel: Mapping[str, Any]) -> str:
    """A chart as a table of words, for those who do not see it."""
    rows = []
    for curve in panel["curves"]:
        told = curve["told"]
        cells = [f"{value:.4g} at step {step:,}" for step, value in _told(told)]
        seeds = f" (mean of {curve['seeds']} seeds)" if curve["seeds"] > 1 else ""
        cells = [f"{curve['label']}{seeds}", f"{told['points']:,}", *cells]
        rows.append("".join(element("td", text(cell)) for cell in cells))
    names = ("curve", "points", "last", "lowest", "highest")
    head = "".join(element("th", name, scope="col") for name in names)
    body = "".join(element("tr", row) for row in rows)
    return element(
        "table", element("thead", element("tr", head)) + element("tbody", body), class_="plain"
    )


def _told(told: Mapping[str, Any]) -> Sequence[tuple[int, float]]:
    return [told["last"], told["lowest"], told["highest"]]


def svg(panel: Mapping[str, Any]) -> str:
    """A chart as SVG, for where no script runs."""
    curves = panel["curves"]
    points = [(curve, *_few(curve)) for curve in curves]
    shown = [value for _, _, y in points for value in y]
    across = [step for _, x, _ in points for step in x]
    bottom, top = min(shown), max(shown)
    first, last = min(across), max(across)
    high, wide = (top - bottom) or 1.0, (last - first) or 1

    def place(x: float, y: float) -> str:
        left = _LEFT + (x - first) / wide * (_WIDTH - _LEFT - 6)
        down = (_HEIGHT - _BOTTOM) - (y - bottom) / high * (_HEIGHT - _BOTTOM - 10)
        return f"{left:.1f},{down:.1f}"

    lines = []
    for curve, x, y in points:
        line = " ".join(place(*one) for one in zip(x, y, strict=True))
        kind = f"c{curve['colour']} d{curve['dash'] % 3}"
        inner = element("title", text(curve["label"]))
        lines.append(element("polyline", inner, points=line, class_=kind, fill="none"))
    words = [
        element("text", f"{top:.3g}", x=_LEFT - 6, y=14, class_="end"),
        element("text", f"{bottom:.3g}", x=_LEFT - 6, y=_HEIGHT - _BOTTOM, class_="end"),
        element("text", f"step {first:,}", x=_LEFT, y=_HEIGHT - 5),
        element("text", f"{last:,}", x=_WIDTH - 6, y=_HEIGHT - 5, class_="end"),
    ]
    return element(
        "svg",
        element("title", text(panel["title"])) + "".join(words + lines),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        class_="curves",
    )


def _few(curve: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    x, y = ("sx", "sy") if "sx" in curve else ("x", "y")
    kept = thinning.places([np.asarray(curve[y], float)], 200)
    return [curve[x][i] for i in kept], [curve[y][i] for i in kept]
