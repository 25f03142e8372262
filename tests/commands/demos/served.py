"""Two pages for the browser's test, in a process of their own: `python -m ... FOLDER`.

The captioner's page is served first, then the command serves the GAN's; each prints its address.
"""

import sys
from pathlib import Path

from jaxgen.commands import demo, guard
from jaxgen.commands.demos import serving
from jaxgen.commands.run_argument import RunArgument
from tests.commands.demos import models

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    captioner = serving.player_of(models.captioner(folder), "captioner")
    page = serving.page_of(captioner, "captioner")
    print(f"captioner: {serving.launch(page, serving.LOOPBACK, None, False, blocking=False)}")
    RunArgument.opened = lambda self: models.gan()
    guard.run_guarded(lambda: demo.main(["gan"]))
