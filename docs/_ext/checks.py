"""Looks at what was made: pages that are too heavy and links that lead nowhere end the build."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MOST = 300_000
"""Bytes of a page with its scripts and styles, pictures aside."""
MOST_INDEX = 1_000_000
"""Bytes of what search reads, on its own page only."""

_PARTS = re.compile(r'<(?:script|link)[^>]*?(?:src|href)="([^":?#]+)(?:\?[^"]*)?"[^>]*>')
_STYLES_AND_SCRIPTS = (".css", ".js")
_LINKS = re.compile(r'<(?:a|img|script|link)\b[^>]*?\s(?:href|src)="([^"]*)"')
_IDS = re.compile(r'\sid="([^"]+)"')


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("build-finished", _check, priority=900)  # after the theme has finished its styles
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _check(app: Sphinx, failure: Exception | None) -> None:
    if failure is None and app.builder.name == "html" and (wrong := problems(Path(app.outdir))):
        raise ExtensionError("\n".join(wrong[:20]))


def problems(site: Path) -> list[str]:
    """What is wrong with a site, a sentence each."""
    pages = {path: path.read_text() for path in sorted(site.rglob("*.html"))}
    ids = {path: set(_IDS.findall(text)) for path, text in pages.items()}
    found = []
    for path, text in pages.items():
        name = path.relative_to(site).as_posix()
        parts = {(path.parent / part).resolve() for part in _PARTS.findall(text)}
        parts = {part for part in parts if part.suffix in _STYLES_AND_SCRIPTS and part.exists()}
        index = {part for part in parts if part.name == "searchindex.js"}
        weight = len(text.encode()) + sum(part.stat().st_size for part in parts - index)
        if weight > MOST:
            found.append(f"{name} weighs {weight:,} bytes with its scripts and styles: divide it")
        if any(part.stat().st_size > MOST_INDEX for part in index):
            found.append(f"what {name} searches in is over {MOST_INDEX:,} bytes")
        for link in set(_LINKS.findall(text)):
            place, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:|//", place):
                if re.search(rf'<(?:img|script|link)\b[^>]*"{re.escape(link)}"', text):
                    found.append(f"{name} loads {link} from elsewhere")
                continue
            target = (path.parent / place.partition("?")[0]).resolve() if place else path
            known = ids.get(target)
            if not target.exists() or (anchor and known is not None and anchor not in known):
                found.append(f"{name} leads to {link}, which is not there")
    return found
