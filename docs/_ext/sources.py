"""Links to the repository's files: what has a page on the site is that page there.

In the repository a link to `../jaxgen/gan/losses.py` shows the source; on the site it leads to the
page of the reference. A link to any other file outside of docs/ gives the file itself.
"""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_LINK = re.compile(r"\]\(\.\./((?:jaxgen|experiments)/[\w/]+)\.py(#[^)]*)?\)")
_PAGES = {
    "../README.md": "index.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../CHANGELOG.md": "changelog.md",
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    text = _LINK.sub(_to_reference, source[0])
    for theirs, ours in _PAGES.items():
        text = text.replace(f"]({theirs}", f"]({ours}")
    source[0] = text


def _to_reference(link: re.Match[str]) -> str:
    path = Path(link[1])
    parts = path.parts[:-1] if path.name == "__init__" else path.parts
    return f"](reference/{'.'.join(parts)}.rst)"
