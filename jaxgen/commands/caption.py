"""`jaxgen caption RUN`: caption validation images with a trained captioner."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from jaxgen.captioning.decoding import Decoding
from jaxgen.commands import cli
from jaxgen.commands.run_argument import RunArgument
from jaxgen.commands.sample import PICTURES
from jaxgen.errors import JaxgenError
from jaxgen.settings import setting

ATTENTION = "attention.png"


@dataclass(frozen=True)
class CaptionImagesConfig(RunArgument):
    """Caption validation images with a trained captioner."""

    n: int = setting(8, least=1, most=1000)
    """How many images, evenly spaced."""
    out: Path = Path("captions.png")
    """A picture of the images, with generated and true sentences."""
    attention: bool = False
    """Draw also where in the images each word looked, as attention.png beside the picture."""
    seed: int = setting(0, least=0, most=2**32 - 1)
    """Seed of sampling."""
    decoding: Annotated[Decoding, tyro.conf.arg(name="")] = field(default_factory=Decoding)
    """How words are chosen."""


def main(argv: Sequence[str]) -> int:
    """Caption as the command line says."""
    config = cli.parse_command(CaptionImagesConfig, argv, "jaxgen caption")
    if config.out.suffix not in PICTURES:
        raise JaxgenError(f"--out {config.out}: the name must end in one of {', '.join(PICTURES)}")
    if not config.out.parent.is_dir():
        raise JaxgenError(f"--out {config.out}: there is no folder {config.out.parent}")
    attention = config.out.with_name(ATTENTION)
    if config.attention and config.out == attention:
        raise JaxgenError(f"--out {config.out}: with --attention another picture has this name")
    from jaxgen.captioning.trained import TrainedCaptioner
    from jaxgen.display import plots

    trained = config.opened()
    if not isinstance(trained, TrainedCaptioner):
        raise JaxgenError(f"{config.run} holds no captioner; jaxgen sample draws images")
    chosen = dataclasses.asdict(config.decoding)
    looked = trained.show_attention(config.n, config.seed, **chosen) if config.attention else None
    shown = trained.show(config.n, config.seed, **chosen)
    print(shown.text)
    plots.save_image(config.out, shown.picture)
    print(f"picture {config.out}")
    if looked is not None:
        plots.save_image(attention, looked)
        print(f"attention {attention}")
    return 0
