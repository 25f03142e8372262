"""The page itself: one file of HTML with styles, scripts, pictures and data inside.

It fetches nothing, which its policy (CSP) forbids as well: scripts and styles are let in by their
hashes, and pictures by `data:` addresses.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from jaxgen.display.report import curves, sections, several
from jaxgen.display.report.comparison import Comparison
from jaxgen.display.report.html import element, name, script_safe, text
from jaxgen.display.report.told import Told

MOST_RUNS = 40
_PICTURES = 1_500_000  # bytes of all pictures over training together
_MOST_OF_ONE = 600_000  # of one run's


@cache
def _asset(name_of: str) -> str:
    return (resources.files("jaxgen.display.report") / "assets" / name_of).read_text("utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def page(
    runs: Sequence[Told],
    beside: Mapping[str, np.ndarray] | None = None,
    notes: Sequence[str] = (),
    *,
    version: str = "",
) -> str:
    """The page about some runs.

    Args:
        runs: one or more.
        beside: of several runs pictures that can be compared, by the run's name: uint8 (H, W) or
            (H, W, 3), of samples from the same noise.
        notes: what else is to be said first.
        version: of jaxgen, which writes it.
    """
    comparison, data = Comparison(runs), _Data()
    room = min(_MOST_OF_ONE, _PICTURES // len(runs))
    panels = curves.panels(comparison)
    parts, title = [], runs[0].name
    if len(runs) > 1:
        title = f"{len(runs)} runs"
        parts += several.sections_of(comparison, beside or {}, panels, data)
        inner = "".join(
            element("article", "".join(sections.of_run(run, room, data, short=True)))
            for run in runs
        )
        parts.append(("Each run", "runs", inner))
    else:
        parts += sections.of_one(runs[0], comparison, room, panels, data)
    told = "".join(element("p", text(note), class_="note") for note in notes)
    links = "".join(
        element("li", element("a", text(heading), href=f"#{place}")) for heading, place, _ in parts
    )
    themes = "".join(
        element("option", theme, value=value)
        for theme, value in (("as the system", ""), ("light", "light"), ("dark", "dark"))
    )
    theme = element("label", "Colours " + element("select", themes, id="theme"), class_="js")
    head = element("h1", name(title)) + sections.lede(comparison) + told
    top = element("header", head + element("nav", element("ul", links) + theme, aria_label="Page"))
    main = "".join(
        sections.titled(heading, place, inner) for heading, place, inner in parts if inner
    )
    made = f"Written by jaxgen {text(version)}. Charts: uPlot (MIT licence)."
    foot = element("footer", element("p", made))
    skip = element("a", "To the content", href="#content", class_="skip")
    body = skip + top + element("main", main, id="content") + foot
    data.add("panels", panels)
    return _document(title, body, data.content)


class _Data:
    """What the page's script reads."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {"sliders": [], "captions": []}

    def add(self, key: str, value: Any) -> int:
        """Keep a value; of lists, its place in there."""
        if key not in self.content or key == "panels":
            self.content[key] = value
            return 0
        self.content[key].append(value)
        return len(self.content[key]) - 1


def _document(title: str, body: str, data: Mapping[str, Any]) -> str:
    style = _asset("uplot.min.css").strip() + "\n" + _asset("page.css").strip()
    licence = "/*\n" + _asset("uplot-LICENSE").strip().replace("*/", "") + "\n*/\n"
    scripts = [licence + _asset("uplot.min.js").strip(), _asset("page.js").strip()]
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src {_hash(style)}",
            f"script-src {' '.join(map(_hash, scripts))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    head = "".join(
        [
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", text(f"{title} - jaxgen")),
            element("style", style),
        ]
    )
    stored = element("script", script_safe(data), type="application/json", id="data")
    run = "".join(element("script", script) for script in scripts)
    inner = element("head", head) + "\n" + element("body", body + "\n" + stored + run)
    whole = f"<!doctype html>\n{element('html', inner, lang='en')}\n"
    # Names of files, and JSON, may hold what is no text.
    return whole.encode("utf-8", "replace").decode("utf-8")
