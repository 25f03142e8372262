"""How Sphinx makes the site: `python -m sphinx -W docs docs/_build`.

The pages are the Markdown files beside this one; the reference is made of the docstrings, a page
for each module. What comes out needs no server: docs/_build/index.html opens from the disk, search
included.
"""

import sys
from pathlib import Path

import jaxgen

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "jaxgen"
author = "the authors of jaxgen"
copyright = "the authors of jaxgen. Apache-2.0"
version = release = jaxgen.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "reference",
    "sources",
    "sidebar",
    "checks",
]
exclude_patterns = ["_build"]
smartquotes = False  # `--flag` in a sentence is no dash
default_role = "py:obj"
highlight_language = "none"
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"jaxgen {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False  # a single page of 500 kB; search finds the same names
html_domain_indices = False
