"""The command `jaxgen`, also `python -m jaxgen`: what comes first names one of its commands."""

import difflib
import importlib
import keyword
import sys

import jaxgen
from jaxgen.commands import guard
from jaxgen.errors import JaxgenError

COMMANDS = {
    "train": "train an experiment, or go on with it",
    "sample": "draw samples from a run",
    "project": "find pictures in a generator's noise",
    "directions": "draw what directions of a generator's noise do",
    "nearest": "draw samples beside their nearest training images",
    "caption": "caption images with a run",
    "evaluate": "measure a run",
    "report": "write a page about runs",
    "compare": "compare runs in the terminal",
    "runs": "list the runs in a folder",
    "demo": "play with a run in the browser",
    "score": "measure a file of captions",
    "features": "compute features of photographs with an encoder",
    "export": "write a trained model as a folder to give away",
    "import": "read a PyTorch model of the notebooks'",
    "pack": "pack a folder of pictures into a set larger than memory",
    "captions": "make a set of captions from pictures of your own",
}
"""Each is a module of `jaxgen.commands`, see `module_of`."""


def module_of(command: str) -> str:
    """The module of a command's `main(argv)`."""
    return f"jaxgen.commands.{command}{'_' * keyword.iskeyword(command)}"


def main() -> None:
    """Run the command that the first word names, and exit."""
    guard.leave_on_interrupt()
    argv = sys.argv[1:]
    if not argv or argv[0] in ("-h", "--help"):
        print(f"jaxgen {jaxgen.__version__}: generative models in JAX\n")
        print("usage: jaxgen COMMAND ...\n")
        print("\n".join(f"  {name:12}{words}" for name, words in COMMANDS.items()))
        print("\njaxgen COMMAND --help tells more.")
        sys.exit(0 if argv else JaxgenError.exit_code)
    if argv[0] == "--version":
        print(jaxgen.__version__)
        sys.exit(0)
    if argv[0] not in COMMANDS:
        close = difflib.get_close_matches(argv[0], COMMANDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(COMMANDS)}"
        print(f"error: jaxgen has no command {argv[0]}{hint}", file=sys.stderr)
        sys.exit(JaxgenError.exit_code)
    command = importlib.import_module(module_of(argv[0]))
    guard.run_guarded(lambda: command.main(argv[1:]))


if __name__ == "__main__":
    main()
