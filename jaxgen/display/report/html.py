"""Pieces of a page, in which no text of a run can become anything but text."""

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

_EMPTY = ("img", "input", "meta", "br")


def text(value: Any) -> str:
    """Any text as text of a page."""
    return html.escape(str(value), quote=True)


def name(value: Any) -> str:
    """A name somebody gave, which may be written in any direction."""
    return element("bdi", text(value))


def element(tag: str, inner: str = "", **attributes: Any) -> str:
    """An element.

    Args:
        tag: its name.
        inner: of it, as a page has it.
        **attributes: text; `class_` is `class`, `_` is `-`. True is one without a value, None and
            False none.
    """
    written = ""
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        written += f" {key}" if value is True else f' {key}="{text(value)}"'
    return f"<{tag}{written}>" if tag in _EMPTY else f"<{tag}{written}>{inner}</{tag}>"


def section(title: str, inner: str, place: str) -> str:
    """A section with a heading, to which links may lead."""
    heading = element("h2", text(title), id=f"{place}-title")
    return element("section", heading + inner, id=place, aria_labelledby=f"{place}-title")


def more(title: str, inner: str, *, opened: bool = False) -> str:
    """What is there for those who ask for it."""
    return element("details", element("summary", text(title)) + inner, open=opened)


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    caption: str = "",
    values: Sequence[Sequence[Any]] | None = None,
    under: Sequence[str] | None = None,
) -> str:
    """A table; with `values` it can be sorted by them.

    Args:
        head: titles of its columns, as a page has them.
        rows: cells, as a page has them.
        caption: what it is of.
        values: for each cell what it is sorted by, a number or a text; None comes last.
        under: what stands under each title, as a page has it.
    """
    sortable = values is not None
    titles = [element("button", t, type="button") if sortable else t for t in head]
    if under is not None:
        titles = [
            title + (element("small", words) if words else "")
            for title, words in zip(titles, under, strict=True)
        ]
    top = "".join(element("th", title, scope="col") for title in titles)
    body = ""
    for place, row in enumerate(rows):
        cells = ""
        for column, cell in enumerate(row):
            value = values[place][column] if values is not None else None
            tag = "td" if column else "th"
            scope = "row" if tag == "th" else None
            cells += element(tag, cell, scope=scope, data_value=value)
        body += element("tr", cells)
    title = element("caption", text(caption)) if caption else ""
    inner = title + element("thead", element("tr", top)) + element("tbody", body)
    made = element("table", inner, class_="sortable" if sortable else None)
    # It may be wider than the page, and then it has to be reached by the keyboard.
    return element(
        "div", made, class_="wide", tabindex="0", role="group", aria_label=caption or "table"
    )


def slider(steps: Sequence[int], label: str) -> str:
    """A handle over training, which stands at the newest of some steps."""
    last = len(steps) - 1
    handle = element("input", type="range", min=0, max=last, value=last, step=1)
    now = element("output", f"{steps[-1]:,}")
    return element("label", f"{label} {now}" + (handle if last else ""), class_="js over-time")


def script_safe(value: Any) -> str:
    """JSON for inside of a script element, which no text in it can end."""
    written = json.dumps(value, separators=(",", ":"))
    for one in "<>&":
        written = written.replace(one, f"\\u{ord(one):04x}")
    return written
