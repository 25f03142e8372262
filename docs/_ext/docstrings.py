"""Docstrings are written to be read as they are; this makes of them what Sphinx understands.

Signs such as `*` and `|` mean themselves, what is indented after a blank line is code, tables are
Markdown's, and backticks hold code, which becomes a link where it is a name that is known.
"""

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")
_BULLET = re.compile(r"( *)- ")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", _process, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _process(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    lines[:] = _without_types(converted(lines), what in ("attribute", "data", "property"))


def _without_types(lines: list[str], is_value: bool) -> list[str]:
    """Lines in which napoleon takes nothing for a type that stands before a colon.

    It would do so in the first line of what is returned, and of a variable's docstring: there an
    empty comment comes first.
    """
    made = ["..", ""] if is_value else []
    for line in lines:
        made.append(line)
        if section := re.fullmatch(r"( *)(?:Returns|Yields):", line):
            made += [f"{section[1]}    ..", ""]
    return made


def _skip(app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leave out a field whose only docstring is that of `jnp.float32`, which it holds."""
    return True if name == "param_dtype" else None


def converted(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText."""
    made: list[str] = []
    for kind, block in _blocks(lines):
        if kind == "code":
            indent = " " * (_indent(block[0]) - 4)
            made += [f"{indent}::", "", *block]
        elif kind == "table":
            made += [*_table(block), ""]
        else:
            made += spans("\n".join(block)).split("\n")
    return made


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _blocks(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Parts of a docstring in their order: text, code and tables."""
    text: list[str] = []
    last = 0  # indentation of the last line of text
    index = 0
    while index < len(lines):
        line = lines[index]
        begin = index
        if line.startswith("|") and lines[index + 1 : index + 2] and "|--" in lines[index + 1]:
            while index < len(lines) and lines[index].startswith("|"):
                index += 1
            kind = "table"
        elif line.strip() and text and not text[-1].strip() and _indent(line) >= last + 4:
            while index < len(lines) and (
                not lines[index].strip() or _indent(lines[index]) >= last + 4
            ):
                index += 1
            kind = "code"
        else:
            previous = text[-1] if text else ""
            bullet = _BULLET.match(line)
            follows = previous.strip() and not _BULLET.match(previous)
            if bullet and follows and _indent(previous) == len(bullet[1]):
                text.append("")  # or it would go on with the paragraph
            text.append(line)
            if line.strip():
                last = _indent(line)
            index += 1
            continue
        yield "text", text
        text = [""]
        yield kind, lines[begin:index]
    yield "text", text


def _table(rows: list[str]) -> list[str]:
    """A table of Markdown's as a list-table."""
    head, _, *body = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
    made = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *body):
        for number, cell in enumerate(row):
            made.append(f"   {' ' if number else '*'} - {spans(cell)}")
    return ["", *made]


def spans(text: str) -> str:
    """Text whose code is marked as Sphinx wants it, and whose other signs mean themselves."""
    parts, end = [], 0
    for span in _SPAN.finditer(text):
        parts.append(_escaped(text[end : span.start()]))
        words = re.sub(r"\s*\n\s*", " ", span[2])
        ticks = "`" if len(span[1]) == 1 and _NAME.fullmatch(words) else "``"
        follows = text[span.end() : span.end() + 1]
        parts.append(f"{ticks}{words}{ticks}" + "\\ " * (follows.isalnum()))
        end = span.end()
    return "".join([*parts, _escaped(text[end:])])


def _escaped(text: str) -> str:
    return re.sub(r"[*|]|(?<=\w)_(?!\w)", r"\\\g<0>", text)
