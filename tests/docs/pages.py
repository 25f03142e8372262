"""The README and the pages of the site as tests read them: blocks, headings, links, tables."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
SHELL = ("", "sh")
"""Languages of commands; a block without any is one, too."""
LANGUAGES = (*SHELL, "python", "text")

_FENCE = re.compile(r"^( *)```(\{?[\w+-]*\}?)(?: \S+)?\s*$")
_COMMENT = re.compile(r"^ *<!-- (.*) -->$")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")


@dataclass
class Block:
    """A fenced block of code."""

    page: Path
    line: int
    """Of its first line, from 1."""
    language: str
    mark: str
    """The HTML comment above it."""
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def why_not(self) -> str:
        """Why it is not run; empty if it is."""
        return self.mark.partition("not run: ")[2]

    @property
    def place(self) -> str:
        return f"{name(self.page)}:{self.line}"

    def commands(self) -> Iterator[list[str]]:
        """The words of those of a block of shell, which may go on over several lines."""
        lines = ""
        for line in re.sub(r"\\\n\s*", "", self.text).splitlines():
            lines += line + "\n"
            try:
                words = shlex.split(lines, comments=True)
            except ValueError:  # a quotation that is not closed yet
                continue
            lines = ""
            if words:
                yield words


def name(page: Path) -> str:
    """A page as the repository calls it."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, but those that speak to Sphinx."""
    found: list[Block] = []
    opened: Block | None = None
    indent, comment = 0, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            indent = len(fence[1])
            opened = Block(page, number + 1, fence[2], comment)
        elif opened is not None and fence and not fence[2]:
            found.append(opened)
            opened = None
        elif opened is not None:
            opened.lines.append(line[indent:])
        told = _COMMENT.match(line)
        comment = told[1] if told else ("" if line.strip() else comment)
    assert opened is None, f"{name(page)}: the last block is not closed"
    return [block for block in found if not block.language.startswith("{")]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    kept, inside = [], False
    for line in page.read_text().splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> list[str]:
    """Where a page points to."""
    return _LINK.findall(
        re.sub(r"`[^`\n]+`", "", prose(page).replace("[`", "[").replace("`]", "]"))
    )


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as GitHub and the site make them."""
    titles = re.findall(r"(?m)^#+ (.*)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def tables(page: Path) -> list[tuple[int, list[str]]]:
    """Tables of a page: the number of the first line, and the lines."""
    found: list[tuple[int, list[str]]] = []
    before = ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append((number, []))
            found[-1][1].append(line)
        before = line
    return found
