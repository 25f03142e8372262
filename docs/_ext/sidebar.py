"""The tree of pages at the left, opened only where the page is that is read.

The theme would put all of the tree into each page: nine tenths of the site, and of the time that it
takes to make, for a reference of 300 modules.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

from sphinx import addnodes
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("html-page-context", _set_tree, priority=100)  # the theme's own has 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _set_tree(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    context["toctree"] = lambda **options: "".join(_tree(app, page))


def _tree(app: Sphinx, page: str) -> Iterator[str]:
    """Its HTML, in the form that Sphinx gives it and the theme expects."""
    opened = _above(app, page)
    for toctree in app.env.tocs[app.config.root_doc].findall(addnodes.toctree):
        if caption := toctree.get("caption"):
            told = f'<span class="caption-text">{escape(caption)}</span>'
            yield f'<p class="caption" role="heading">{told}</p>'
        yield from _list(app, page, toctree["includefiles"], opened, 1)


def _list(app: Sphinx, page: str, names: list[str], opened: set[str], level: int) -> Iterator[str]:
    yield "<ul>"
    for name in names:
        current = " current" * (name in opened)
        link = app.builder.get_relative_uri(page, name)
        title = escape(app.env.titles[name].astext())
        if name.startswith("reference/"):
            title = title.rpartition(".")[2]
        yield f'<li class="toctree-l{level}{current}">'
        yield f'<a class="{current.strip()} reference internal" href="{link or "#"}">{title}</a>'
        if name in opened and (below := app.env.toctree_includes.get(name)):
            yield from _list(app, page, below, opened, level + 1)
        yield "</li>"
    yield "</ul>"


def _above(app: Sphinx, page: str) -> set[str]:
    """The page and those that lead to it."""
    parents = {
        child: parent for parent, children in app.env.toctree_includes.items() for child in children
    }
    found = set()
    while page is not None and page not in found:
        found.add(page)
        page = parents.get(page)
    return found
