"""`jaxgen train EXPERIMENT`: train an experiment of jaxgen's, or a file of your own."""

import difflib
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxgen.commands import named_experiments
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
    known = named_experiments.names()
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
        named_experiments.run(name)
    else:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {listed}"
        raise JaxgenError(f"jaxgen train {name}: there is no such experiment; {hint}")
    return 0
