"""Two pages for the browser's test, in a process of their own: `python -m ... FOLDER`.

The command serves the GAN's, and the captioner's beside it; each address is printed.
"""

import sys
from pathlib import Path

from jaxgen.commands import demo, guard
from jaxgen.commands.demos import serving
from jaxgen.commands.run_argument import RunArgument
from tests.commands.demos import models

launch = serving.launch


def launch_both(page, *place, **how):
    """In the place of `launch`, as late as it, when the command has said where files are kept."""
    other = serving.page_of(captioner, "captioner")
    print(f"captioner: {launch(other, *place, **how)}")
    return launch(page, *place, **how)


if __name__ == "__main__":
    captioner = serving.player_of(models.captioner(Path(sys.argv[1])), "captioner")
    RunArgument.opened = lambda self: models.gan()
    serving.launch = launch_both
    guard.run_guarded(lambda: demo.main(["gan"]))
