"""jaxgen's own experiments by their names, wherever it is installed and whatever else is there.

They are above the commands and import them, so they are found as files: in the folder `experiments`
beside jaxgen's own, in a checkout and in an installed wheel. Many a project has a folder of that
name. There `import experiments` may give the project's; these functions give jaxgen's.
"""

import importlib
import importlib.util
import pkgutil
import runpy
import sys
from pathlib import Path
from typing import Any

import jaxgen

FOLDER = Path(jaxgen.__file__).parents[1] / "experiments"


def names() -> list[str]:
    """What `jaxgen train` takes, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))


def run(name: str) -> None:
    """Run an experiment as `python -m experiments.NAME` does, with the flags in `sys.argv`."""
    _ours()
    runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=False)


def config(name: str) -> Any:
    """The configuration of an experiment, a `TrainConfig`."""
    _ours()
    return importlib.import_module(f"experiments.{name}").config


def _ours() -> None:
    """Make `experiments` mean jaxgen's in this process."""
    path = FOLDER / "__init__.py"
    loaded = sys.modules.get("experiments")
    if loaded is not None and Path(getattr(loaded, "__file__", None) or "") == path:
        return
    spec = importlib.util.spec_from_file_location("experiments", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for name in [name for name in sys.modules if name.partition(".")[0] == "experiments"]:
        del sys.modules[name]  # of the other package
    sys.modules["experiments"] = module
    spec.loader.exec_module(module)
