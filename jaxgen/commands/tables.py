"""Tables in the terminal, in which no text of a run can be anything but text."""

from collections.abc import Sequence
from typing import Any


def plain(text: str) -> str:
    """Text without what a terminal would obey; line breaks stay."""
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)


def best(text: str, is_best: bool) -> Any:
    """A cell, marked if it is the best of its column: in green, and by a star without colours."""
    from rich.text import Text

    return Text(f"{plain(text)} *", "bold green") if is_best else text


def table(title: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> Any:
    """A table.

    Args:
        title: above it, or "".
        columns: title and side ("left", "right") of each.
        rows: cells, text or what `best` gives.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=Text(title) if title else None, box=box.SIMPLE_HEAD, title_justify="left")
    for name, side in columns:
        made.add_column(Text(plain(name)), justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        made.add_row(*(Text(plain(c)) if isinstance(c, str) else c for c in row))
    return made


def show(made: Any) -> None:
    """Print a table, in a file or a pipe as wide as it is."""
    from rich.console import Console

    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, width=400)
    console.print(made)
