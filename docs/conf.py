"""How Sphinx makes the site: `python -m sphinx -W docs docs/_build`.

The pages are the Markdown files beside this one; the reference is made of the docstrings, a page for
each module. What comes out needs no server: docs/_build/index.html opens from the disk, search
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
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "sources",
    "sidebar",
]
exclude_patterns = ["_build", "_templates", "reference/*/modules.rst"]
default_role = "py:obj"
highlight_language = "none"
myst_heading_anchors = 4

apidoc_modules = [
    {
        "path": f"../{name}",
        "destination": f"reference/{name}",
        "exclude_patterns": ["**/standalone/**", "**/__main__.py"],
        "template_dir": "_templates",
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
    for name in ("jaxgen", "experiments")
]
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
