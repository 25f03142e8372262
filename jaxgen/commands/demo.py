"""`jaxgen demo RUN`: a page to play with a trained model; `demo(RUN)` shows it in a notebook."""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jaxgen
from jaxgen import settings
from jaxgen.commands import cli
from jaxgen.commands.demos import serving
from jaxgen.commands.devices import tell_devices
from jaxgen.commands.run_argument import ReplicaArgument
from jaxgen.settings import setting
from jaxgen.settings.notes import note


@dataclass(frozen=True)
class DemoConfig(ReplicaArgument):
    """Play with a trained model on a page in the browser (extra `demo`).

    A GAN's seeds, classes, truncation and walks; a captioner's words for its own pictures and,
    where it has an encoder for them, for yours. Ctrl-C ends it.
    """

    weights: Path | None = None
    """File of the weights of the encoder that a captioner's run records, where no package brings
    them."""
    host: str = serving.LOOPBACK
    """The address to listen on; by default this machine alone reaches the page."""
    port: int | None = setting(None, least=1, most=65_535)
    """The port; if not given 7860, or the next one that is free."""
    share: bool = False
    """Make a public address too, which lasts a week at most and leads through Gradio's servers."""


def demo(
    run: Any,
    *,
    weights: str | Path = "",
    host: str = serving.LOOPBACK,
    port: int | None = None,
    share: bool = False,
) -> Any:
    """Serve a page to play with a model, which a notebook shows below its cell; in Colab too.

    Args:
        run: a path as `jaxgen.load` takes it, or what it gave, `replica(i)` of several.
        weights: as for `jaxgen.commands.demos.serving.player_of`.
        host, port, share: as for `launch` there.

    Returns:
        The `gradio.Blocks` that is served; its `close()` ends it.

    Raises:
        JaxgenError: as `jaxgen.load`, `player_of` and `launch` do.
    """
    serving.library()
    is_path = isinstance(run, str | Path)
    model = jaxgen.load(run) if is_path else run
    name = str(run) if is_path else "A trained model"
    player = serving.player_of(model, name, Path(weights) if weights else None)
    page = serving.page_of(player, name)
    serving.launch(page, host, port, share)
    return page


def main(argv: Sequence[str]) -> int:
    """Serve the page that the command line asks for, until Ctrl-C."""
    config = cli.parse_command(DemoConfig, argv, "jaxgen demo")
    serving.library()  # refused before a model is opened
    serving.refuse_taken(config.host, config.port)
    model = config.opened()
    tell_devices(precision=model.config.precision)
    player = serving.player_of(model, config.run, config.weights)
    if not serving.is_loopback(config.host):
        note(f"--host {config.host}: whoever reaches this machine can use the page")
    from jaxgen.training.signals import signals_noted

    with (
        signals_noted(said="") as noted,
        tempfile.TemporaryDirectory(prefix="jaxgen-demo-", ignore_cleanup_errors=True) as folder,
    ):
        os.environ["GRADIO_TEMP_DIR"] = folder  # of uploaded pictures
        page = serving.page_of(player, config.run)
        address = serving.launch(page, config.host, config.port, config.share, blocking=False)
        print(f"{config.run}: {address} (Ctrl-C ends it)", flush=True)
        with settings.flags_spelled(False):  # on the page there are none
            while not noted:
                time.sleep(0.1)
        page.close(verbose=False)
    print("ended", file=sys.stderr)
    return 0
