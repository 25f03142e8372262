"""`jaxgen train EXPERIMENT`: train an experiment of jaxgen's, or a file of your own."""

import importlib.util
import pkgutil
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxgen.errors import JaxgenError

USAGE = "usage: jaxgen train EXPERIMENT [--help] [flags of the experiment]"


def main(argv: Sequence[str]) -> int:
    """Train what the first word names, with the flags that follow.

    Args:
        argv: the name of an experiment, `dcgan` for `experiments.dcgan`, or the path of a Python
            file that ends in a call of `jaxgen.commands.cli.main`; then its flags.

    Raises:
        JaxgenError: there is no such experiment.
    """
    known = _experiments()
    listed = ", ".join(known)
    if not argv or argv[0] in ("-h", "--help"):
        print(f"{USAGE}\n\nEXPERIMENT is one of {listed},\nor the path of a file of your own.")
        return 0 if argv else JaxgenError.exit_code
    name = argv[0]
    sys.argv = [f"jaxgen train {name}", *argv[1:]]
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise JaxgenError(f"jaxgen train {name}: there is no such file")
        sys.path.insert(0, str(path.resolve().parent))  # as `python FILE` does
        runpy.run_path(str(path), run_name="__main__")
    elif name in known:
        runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=False)
    else:
        raise JaxgenError(f"jaxgen train {name}: there is no such experiment; there are {listed}")
    return 0


def _experiments() -> list[str]:
    """Names of the experiments, found as files: they are above the commands and import them."""
    spec = importlib.util.find_spec("experiments")
    folders = spec.submodule_search_locations if spec else None
    return sorted(module.name for module in pkgutil.iter_modules(folders or []))
