"""Make the API pages from the docstrings.

    pip install -e '.[dev]' && python docs/build_api.py

Then open docs/api/index.html; another folder can be given.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

import pdoc

PACKAGES = ("jaxgen", "experiments")


def modules() -> list[str]:
    """Names of all modules, packages included."""
    found = list(PACKAGES)
    for package in PACKAGES:
        paths = importlib.import_module(package).__path__
        found += [module.name for module in pkgutil.walk_packages(paths, f"{package}.")]
    return [name for name in found if not name.endswith("__main__")]


def build(folder: Path) -> None:
    """Write a page for each module, an index and a search index into `folder`."""
    # pdoc forbids starting processes while it imports, which h5py's import does.
    for name in modules():
        importlib.import_module(name)
    pdoc.render.configure(docformat="google")
    pdoc.pdoc(*PACKAGES, output_directory=folder)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "api"
    build(target)
    print(f"{target / 'index.html'}")
