"""Where progress is shown: lines that redraw in a terminal or a notebook, plain ones elsewhere.

Rich draws them. Its own display of notebooks needs ipywidgets, whose pictures are gone when the
notebook is saved; here a cell's output is replaced, which every notebook keeps.
"""

import io
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from jaxgen.display.progress import Line

METADATA = {"jaxgen": "progress"}
"""Of such an output in a notebook's file."""
_BAR, _MOST_ROWS, _WIDTH_IN_NOTEBOOK = 20, 6, 110


class Plain:
    """Lines one after the other, none of a terminal's control characters: for log files."""

    is_live = False

    def show(self, line: "Line") -> None:
        """A line as it stands; several of them follow each other."""
        count = f"{line.done}/{line.total} {line.unit}s"
        self.say("  ".join([line.what, count, *line.words, *line.numbers()]))

    def say(self, sentence: str) -> None:
        """A sentence between them."""
        sys.stderr.write(f"{sentence}\n")  # at once: print would let other threads come between
        sys.stderr.flush()

    def leave(self, line: "Line") -> None:
        """The line's work is over."""


class Terminal(Plain):
    """Lines at the bottom of a terminal; whatever else is printed scrolls by above them."""

    is_live = True

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._live: Live | None = None

    def show(self, line: "Line") -> None:
        if line not in self._lines:
            self._lines.append(line)
        self._live = self._live or self._begun()
        self._live.refresh()

    def say(self, sentence: str) -> None:
        live = self._live  # another thread may say something while this one ends
        if live is None:
            super().say(sentence)
        else:
            from rich.text import Text

            live.console.print(Text(sentence), soft_wrap=True)

    def leave(self, line: "Line") -> None:
        if self._live is None or line not in self._lines:
            return
        self._live.refresh()
        if self._lines == [line]:
            self._live.stop()  # while the line is still there: it stays as it stands
            self._live = None
        self._lines.remove(line)

    def _begun(self) -> "Live":
        # Late: 0.1 s, which `--help` does without.
        from rich.console import Console
        from rich.live import Live

        class SteadyConsole(Console):
            """Never hides the cursor: a process that is killed could not bring it back."""

            def show_cursor(self, show: bool = True) -> bool:
                return False

        console = SteadyConsole(stderr=True, force_terminal=True, force_jupyter=False)
        display = Live(
            get_renderable=lambda: drawn(self._lines, console.width),
            console=console,
            refresh_per_second=1,  # so that the time left is seen to run
            redirect_stdout=sys.stdout.isatty(),  # not what goes into a file
        )
        display.start()
        return display


class Notebook(Plain):
    """The output of a notebook's cell, which is replaced; it stays in the notebook's file."""

    is_live = True
    _SECONDS = 0.5  # between two replacements, each of which travels to the browser

    def __init__(self) -> None:
        self._handles: dict[Line, Any] = {}
        self._drawn = 0.0

    def show(self, line: "Line") -> None:
        now = time.monotonic()
        if line not in self._handles or now - self._drawn >= self._SECONDS:
            self._drawn = now
            self._draw(line)

    def leave(self, line: "Line") -> None:
        if line in self._handles:
            self._draw(line)
            del self._handles[line]

    def _draw(self, line: "Line") -> None:
        from IPython.display import display

        bundle = as_text_and_html([line])
        if line in self._handles:
            self._handles[line].update(bundle, raw=True, metadata=METADATA)
        else:
            shown = display(bundle, raw=True, metadata=METADATA, display_id=True)
            self._handles[line] = shown


def as_text_and_html(lines: "list[Line]") -> dict[str, str]:
    """The lines by kinds of content, as a notebook takes them."""
    from rich.console import Console

    width = _WIDTH_IN_NOTEBOOK
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        force_terminal=True,
        force_jupyter=False,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(drawn(lines, width))
    html = console.export_html(
        inline_styles=True,
        clear=False,
        code_format='<pre style="white-space:pre;line-height:normal;margin:0">{code}</pre>',
    )
    return {"text/plain": console.export_text(styles=False).rstrip(), "text/html": html}


def drawn(lines: "list[Line]", width: int) -> "RenderableType":
    """Lines for Rich, each with a bar, in as many rows as the width asks for."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for line in lines:
        before = f"{line.what}  " if line.what else ""
        percent = f"{100 * line.done // max(line.total, 1)} %"
        told = [f"{line.done}/{line.total} {line.unit}s", percent, *line.numbers(True), *line.words]
        beside = max(10, width - len(before) - _BAR - 2)
        first, *rest = _rows(told, beside, width)
        row = Table.grid(padding=(0, 0))
        bar = ProgressBar(total=max(line.total, 1), completed=line.done, width=_BAR)
        cells = [bar, Text(f"  {first}", no_wrap=True)]
        row.add_row(*([Text(before, no_wrap=True), *cells] if before else cells))
        parts += [row, *(Text(text, no_wrap=True, overflow="ellipsis") for text in rest)]
    return Group(*parts)


def _rows(parts: list[str], first: int, width: int) -> list[str]:
    """Parts in rows of at most `width` characters, the first one of at most `first`."""
    rows, most = [""], first
    for part in parts:
        joined = f"{rows[-1]}  {part}" if rows[-1] else part
        if len(joined) <= most:
            rows[-1] = joined
        elif len(rows) == _MOST_ROWS:
            rows[-1] = f"{rows[-1][: most - 2]} …"
            break
        else:
            rows.append(part)
            most = width
    return rows


_shared: list[Plain] = []  # of the terminal: two displays would draw over each other


def display() -> Plain:
    """Where standard error goes."""
    if _in_notebook():
        return Notebook()
    if not _redraws():
        return Plain()
    if not _shared:
        _shared.append(Terminal())
    return _shared[0]


def _redraws() -> bool:
    """Whether standard error is a terminal that can redraw lines.

    What a notebook starts as `!command` is told that it has a terminal, by a kernel that has none.
    """
    is_dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    return sys.stderr.isatty() and not is_dumb and "JPY_PARENT_PID" not in os.environ


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
