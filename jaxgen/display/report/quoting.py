"""What others may take from a report: figures as a table, and an entry for a bibliography."""

import base64
import json
from collections.abc import Sequence

from jaxgen.display.report.comparison import Comparison
from jaxgen.display.report.html import element, text
from jaxgen.display.report.told import Told


def quote(comparison: Comparison) -> str:
    """A table for a spreadsheet, and an entry for a bibliography."""
    content = base64.b64encode(comparison.csv().encode("utf-8", "replace")).decode()
    link = element(
        "a",
        "Figures as CSV",
        href=f"data:text/csv;charset=utf-8;base64,{content}",
        download="figures.csv",
    )
    points = element("button", "Curves as CSV", type="button", id="points", class_="js")
    entry = element("pre", text(bibtex(comparison.runs)), tabindex="0", aria_label="BibTeX")
    return element("p", link + " " + points) + entry


def bibtex(runs: Sequence[Told]) -> str:
    """A BibTeX entry of jaxgen as it made the runs."""
    versions = sorted({run.version for run in runs if run.version})
    commits = sorted({run.commit for run in runs if run.commit})
    year = max((run.time[:4] for run in runs), default="")
    fields = {
        "title": "jaxgen: generative models in {JAX}",
        "note": "; ".join(
            [f"version {_braced(v)}" for v in versions] + [f"commit {_braced(c)}" for c in commits]
        ),
        "year": year if year.isdigit() else "",
    }
    lines = ",\n".join(f"  {key} = {{{value}}}" for key, value in fields.items() if value)
    return f"@software{{jaxgen,\n{lines}\n}}"


def _braced(value: str) -> str:
    """Text that ends no field of BibTeX's, and starts no command of TeX's."""
    kept = json.dumps(value)[1:-1]
    return "".join(letter for letter in kept if letter.isalnum() or letter in "+-._ ")[:80]
